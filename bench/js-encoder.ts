/**
 * What exporting costs the main thread of a Node.js program, for each signal: our exporter beside the stock protobuf
 * serializer, on 512 records freshly made by the SDK in every batch, all attribute values different.
 *
 *     npm run build:bench && node bench/dist/js-encoder.js [signal …]
 */
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BATCH, CASES, type Case } from './js-batches.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BATCHES = 300;
const WARM_UP = 200;

const addons = join(ROOT, 'target/bench-addon');
const addon = existsSync(addons) ? readdirSync(addons).find(name => name.endsWith('.node')) : undefined;
if (!addon) {
  console.error(`There is no release addon in ${addons}: run \`npm run build:bench\`, then this again.`);
  process.exit(1);
}
process.env.NAPI_RS_NATIVE_LIBRARY_PATH = join(addons, addon);
const { OtlpLibrary } = await import('otlp-arrow');

/** What the operating system says the main thread has worked so far, in nanoseconds; elsewhere than on Linux, the time. */
const worked: () => number = (() => {
  const file = '/proc/thread-self/schedstat';
  if (!existsSync(file)) return () => Number(process.hrtime.bigint());
  const open = openSync(file, 'r');
  process.once('exit', () => closeSync(open));
  const buffer = Buffer.alloc(64);
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return () => {
    // The system adds up at a tick or when a thread is put aside: without a short sleep the figure is that of a while ago.
    Atomics.wait(sleeper, 0, 0, 0.02);
    return Number(buffer.toString('latin1', 0, readSync(open, buffer, 0, 64, 0)).split(' ')[0]);
  };
})();

/** One way to export a batch, and what it took of each: nanoseconds. */
interface Way {
  readonly name: string;
  readonly run: (batch: never) => unknown;
  /** Work of the main thread during the call. */
  readonly call: number[];
  /** How long the call kept the event loop from anything else, other programs included. */
  readonly block: number[];
  /** Work of the main thread until the result was there. */
  readonly settled: number[];
}

const way = (name: string, run: Way['run']): Way => ({ name, run, call: [], block: [], settled: [] });

async function measure({ name, next, stock, encode, send }: Case): Promise<void> {
  const outputDir = mkdtempSync(join(tmpdir(), 'otlp-arrow-bench-'));
  const library = await OtlpLibrary.open({ outputDir });
  const ways = [
    way('stock serializer', stock),
    way('our encoder', encode),
    way('our exporter with the native call', batch => send(library, batch)),
  ];
  // The ways take turns, so that what else the machine does falls on all of them alike.
  for (let round = 0; round < WARM_UP + BATCHES; round++) {
    for (const { run, call, block, settled } of ways) {
      const batch = (await next()) as never;
      const before = worked();
      const started = process.hrtime.bigint();
      const pending = run(batch);
      const took = Number(process.hrtime.bigint() - started);
      const after = worked();
      // Idle for as long whichever the way, or what V8 does then would count for those alone that have to wait.
      await Promise.all([pending, new Promise(resolve => setTimeout(resolve, 2))]);
      if (round < WARM_UP) continue;
      call.push(after - before);
      block.push(took);
      settled.push(worked() - before);
    }
  }
  await library.shutdown();
  rmSync(outputDir, { recursive: true });

  console.log(`\n${name}, ${BATCH} a batch, ${BATCHES} batches: microseconds each, and how many times less than stock`);
  for (const { name, call, block, settled } of ways) {
    const each = (values: number[], share: number): string => (at(values, share) / BATCH / 1000).toFixed(2);
    const ratio = (of: keyof Way & ('call' | 'settled'), share: number): string =>
      (at(ways[0]![of], share) / at(of === 'call' ? call : settled, share)).toFixed(1);
    console.log(
      `  ${name.padEnd(34)} ${each(call, 0.5)} (${ratio('call', 0.5)}x), result awaited ${each(settled, 0.5)} (${ratio('settled', 0.5)}x);` +
        ` event loop blocked ${ms(block, 0.5)} ms at p50, ${ms(block, 0.99)} ms at p99, of which work of its own ${ms(call, 0.99)} ms at p99`,
    );
  }
}

function at(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;
}

function ms(values: readonly number[], share: number): string {
  return (at(values, share) / 1e6).toFixed(2);
}

console.log(`Node.js ${process.versions.node}, ${process.platform} ${process.arch}, release addon`);
const wanted = process.argv.slice(2);
for (const each of CASES) if (wanted.length === 0 || wanted.includes(each.name)) await measure(each);

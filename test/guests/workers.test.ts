/** Worker threads keep their last batch, whoever ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { both, type Home, home, share } from './guests.js';

let made: Home;
beforeAll(async () => {
  made = (await home([])) as Home;
});
afterAll(() => made.remove());

const HEAD = `
import { isMainThread, parentPort, threadId, Worker } from 'node:worker_threads';
import { metrics, trace } from '@opentelemetry/api';
const span = name => trace.getTracer('app').startSpan(name).end();
const work = n => { for (let i = 0; i < n; i++) span('worker'); };
const spawn = () => new Worker(new URL(import.meta.url));
const stay = () => setInterval(() => {}, 1000);
if (isMainThread) span('main');
`;

interface Case {
  readonly name: string;
  readonly program: string;
  readonly spans: number;
}

const ends = (end: string, worker = "work(5); parentPort.postMessage('up'); stay();") =>
  `if (isMainThread) { const worker = spawn(); worker.on('message', async () => { ${end} }); worker.on('exit', c => console.log('worker', c)); worker.on('error', e => console.log(e.message)); } else { ${worker} }`;

const CASES: readonly Case[] = [
  { name: 'it returns', program: ends('', 'work(5);'), spans: 6 },
  { name: 'it throws', program: ends('', "work(5); throw new Error('no');"), spans: 6 },
  { name: 'it exits', program: ends('', 'work(5); process.exit(3);'), spans: 6 },
  { name: 'the main thread exits', program: ends('process.exit(4);'), spans: 6 },
  { name: 'the main thread throws', program: ends("throw new Error('no');"), spans: 6 },
  { name: 'a signal that nobody listens to', program: ends("process.kill(process.pid, 'SIGTERM');"), spans: 6 },
  {
    // After the task that recorded: one under way is cut off wherever it is.
    name: 'it is terminated',
    program: ends('await worker.terminate();', "work(5); setImmediate(() => parentPort.postMessage('up')); stay();"),
    spans: 6,
  },
  {
    name: 'the main thread exits while it works',
    program: ends(
      'process.exit(0);',
      "stay(); work(600); parentPort.postMessage('up'); const until = Date.now() + 100; while (Date.now() < until); work(100);",
    ),
    spans: 701,
  },
  {
    name: 'it is not waited for',
    program: `if (isMainThread) { const alive = setInterval(() => {}, 1000); const worker = spawn();
      worker.on('message', () => clearInterval(alive)); worker.unref(); } else { work(5); parentPort.postMessage('up'); stay(); }`,
    spans: 6,
  },
  {
    name: 'four of them, and one of their own',
    program: `if (isMainThread) { let up = 0; for (let i = 0; i < 4; i++) spawn().on('message', () => { if (++up === 4) process.exit(0); }); }
      else { const { workerData } = await import('node:worker_threads'); work(3);
        if (workerData) parentPort.postMessage('up');
        else new Worker(new URL(import.meta.url), { workerData: 1 }).on('message', () => { work(1); parentPort.postMessage('up'); });
        stay(); }`,
    spans: 1 + 4 * 7,
  },
];

describe('worker threads', () => {
  test.concurrent.each(share(CASES))(
    '$name',
    async ({ name, program, spans }) => {
      const file = join(made.folder, `${name.replaceAll(/\W/g, '-')}.mjs`);
      writeFileSync(file, HEAD + program);
      // Nine threads, each with the SDK, on a machine that is busy.
      const pair = await both(file, { cwd: made.folder, longestMs: 80_000 });
      expect(pair.recorded.seen, pair.recorded.stderr).toEqual(pair.plain.seen);
      expect(pair.spans).toHaveLength(spans);
    },
    180_000,
  );

  test('one that is stuck holds the end no longer than half a second', async () => {
    const file = join(made.folder, 'stuck.mjs');
    writeFileSync(
      file,
      `${HEAD}${ends(
        'const at = Date.now(); process.on("exit", () => console.error("took", Date.now() - at)); process.exit(0);',
        "span('worker'); parentPort.postMessage('up'); span('worker'); for (;;);",
      )}`,
    );
    const { recorded } = await both(file, { cwd: made.folder });
    expect(recorded.seen.code).toBe(0);
    expect(Number(/took (\d+)/.exec(recorded.stderr)?.[1])).toBeLessThan(900);
  }, 60_000);

  test('an idle one that is blocked is asked for 50 ms', async () => {
    const file = join(made.folder, 'blocked.mjs');
    writeFileSync(
      file,
      `${HEAD}${ends(
        'setTimeout(() => { const at = Date.now(); process.on("exit", () => console.error("took", Date.now() - at)); process.exit(0); }, 400);',
        "work(2); setTimeout(() => { parentPort.postMessage('up'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }, 50);",
      )}`,
    );
    const { recorded, spans } = await both(file, { cwd: made.folder });
    expect(recorded.seen.code).toBe(0);
    expect(spans).toHaveLength(3);
    expect(Number(/took (\d+)/.exec(recorded.stderr)?.[1])).toBeLessThan(350);
  }, 60_000);
});

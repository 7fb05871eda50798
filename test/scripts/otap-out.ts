/**
 * The Collector takes OTAP from us: a recorder forwards to its receiver `otelarrow` over streams that live for a second, and what
 * its OTLP exporter makes of it comes to another recorder. Contents are compared, not answers: Go's decoder answers OK to attributes
 * that it could not read.
 */
import { strict as assert } from 'node:assert';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  freePort,
  type Json,
  plain,
  RECORDS,
  record,
  recordsOf,
  SIGNALS,
  type Signal,
  send,
  startCollector,
  stop,
} from './collector-peer.js';
import { buildGo, end, goMissing, type Serving, serve } from './peers.js';
import { binary, ROOT, run } from './run.js';

/** Compression within the Arrow data, and of whole messages; `plain` has no OTAP, so that OTLP has to do. */
const WAYS = { zstd: 'none', none: 'zstd', plain: 'none' } as const;
type Way = keyof typeof WAYS;
const NAMES = Object.keys(WAYS) as Way[];
const ARRIVAL_MS = 180_000;
/** Between requests, so that minutes are not gigabytes. */
const PAUSE_MS = 30;

/** Sends for so many seconds, and fails unless everything comes out of the Collector as it was sent. */
export async function otapOut(seconds: number): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const program = await buildGo(join(ROOT, 'test/peers/otelarrow'), 'otelarrow');
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-otap-out-'));
  const ports = { zstd: await freePort(), none: await freePort(), plain: await freePort() };
  const far = {} as Record<Way, Serving>;
  for (const way of NAMES) far[way] = await serve(join(directory, way));
  const config = join(directory, 'collector.json');
  writeFileSync(config, JSON.stringify(pipelines(ports, far)));
  const collector = await startCollector(program, config, Object.values(ports));
  const forward = NAMES.map(way => ({
    name: way,
    endpoint: `http://127.0.0.1:${ports[way]}`,
    protocol: 'otap',
    compression: WAYS[way],
    // A server without OTAP would hide behind OTLP.
    otap: { payload_compression: way === 'none' ? way : 'zstd', stream_lifetime: '1s', fallback: way === 'plain' },
  }));
  const near = await serve(join(directory, 'near'), [`forward=${JSON.stringify(forward)}`]);
  try {
    const until = Date.now() + seconds * 1000;
    let requests = 0;
    while (requests < 20 || Date.now() < until) {
      await send(near.addresses[1]!, requests, requests + 1, number => (number % 7 === 0 ? 'é'.repeat(300) : ''));
      requests += 1;
      await sleep(PAUSE_MS);
    }
    const whole = requests * RECORDS;
    const deadline = Date.now() + ARRIVAL_MS;
    for (const way of NAMES)
      for (const signal of SIGNALS)
        for (let found = 0; found < whole; await sleep(200)) {
          found = await counter(far[way], 'otlp_arrow_committed_records_total', signal);
          assert.ok(Date.now() < deadline, `${signal} by ${way}: ${found} of ${whole} came`);
        }
    for (const signal of SIGNALS) {
      assert.equal(await counter(near, 'otlp_arrow_rejected_records_total', signal), 0, `${signal} were refused`);
      // All that went where there is no OTAP, and nothing else; it is counted behind the answer.
      let changed = 0;
      while (changed < whole && Date.now() < deadline) {
        changed = await counter(near, 'otlp_arrow_forward_changed_records_total', signal);
        await sleep(50);
      }
      assert.equal(changed, whole, `${signal} were changed`);
    }
    const counts: string[] = [];
    await stop(collector);
    for (const way of NAMES) {
      await end(far[way].child);
      for (const signal of SIGNALS) {
        const times = await compared(join(directory, way), signal, whole);
        counts.push(`${signal} by ${way}: ${whole}, ${times - whole} of them twice`);
      }
    }
    // Whatever a generator thinks of: every kind of point, exemplars, NaN beside NaN, arrays in arrays.
    const generated = ['test', '--quiet', '-p', 'otlp-arrow', '--test', 'forward', 'another_recorder'];
    await run('cargo', generated, { env: { OTLP_ARROW_COLLECTOR: program } });
    console.log(`the Collector passes on everything as it was sent\n${counts.join('\n')}`);
    return undefined;
  } finally {
    for (const service of [near, ...Object.values(far)]) await end(service.child);
    await stop(collector);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A receiver of OTAP, or of OTLP alone, and an exporter of OTLP for each way. */
function pipelines(ports: Record<Way, number>, far: Record<Way, Serving>): Json {
  const receivers: Json = {};
  const exporters: Json = {};
  const found: Json = {};
  for (const way of NAMES) {
    const receiver = way === 'plain' ? 'otlp/plain' : `otelarrow/${way}`;
    receivers[receiver] = { protocols: { grpc: { endpoint: `127.0.0.1:${ports[way]}` } } };
    exporters[`otlp/${way}`] = { endpoint: far[way].addresses[0], tls: { insecure: true } };
    for (const signal of SIGNALS) found[`${signal}/${way}`] = { receivers: [receiver], exporters: [`otlp/${way}`] };
  }
  const telemetry = { metrics: { level: 'none' }, logs: { level: 'warn' } };
  return { receivers, exporters, service: { pipelines: found, telemetry } };
}

/** The sum of a counter of one signal. */
async function counter(service: Serving, name: string, signal: Signal): Promise<number> {
  const text = await (await fetch(`http://${service.addresses[1]}/metrics`)).text();
  const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) && line.includes(`signal="${signal}"`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Compares every record of a directory with what was sent; returns how many there are. */
async function compared(directory: string, signal: Signal, whole: number): Promise<number> {
  const file = join(directory, `${signal}.jsonl`);
  await run(binary('debug'), ['convert', directory, '--signal', signal, '--output', file]);
  const seen = new Uint8Array(whole);
  let times = 0;
  for await (const line of createInterface(createReadStream(file))) {
    for (const item of recordsOf(signal, plain(JSON.parse(line)))) {
      const number = Number(item.attributes.find(({ key }: Json) => key === 'number').value.intValue);
      const filler = number % 7 === 0 ? 'é'.repeat(300) : '';
      assert.deepEqual(sorted(plain(item) as Json), sorted(record(signal, number, filler)), `${signal} ${number}`);
      seen[number] = 1;
      times += 1;
    }
  }
  assert.equal(seen.indexOf(0), -1, `${signal} ${seen.indexOf(0)} did not come`);
  return times;
}

/** With its attributes in one order: OTAP has them sorted. */
function sorted(item: Json): Json {
  const attributes = [...(item.attributes as { key: string }[])];
  return { ...item, attributes: attributes.sort((a, b) => (a.key < b.key ? -1 : 1)) };
}

/**
 * The Collector as a destination, by OTLP/gRPC and OTLP/HTTP at once, stopped and started while data comes: what its
 * exporter wrote is compared with what was sent, record by record.
 */
import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { buildGo, end, goMissing, serve } from './peers.js';
import { ROOT, run } from './run.js';

const WAYS = ['grpc', 'http'] as const;
const ARRIVAL_MS = 180_000;

/** Fails unless the Collector has everything that `requests` requests of each signal said, by both ways. */
export async function collectorPeer(requests: number): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const program = await buildGo(join(ROOT, 'test/peers/collector'), 'collector');
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-collector-'));
  const ports = { grpc: await freePort(), http: await freePort() };
  const config = join(directory, 'collector.json');
  writeFileSync(config, JSON.stringify(pipelines(directory, ports)));
  const start = () => startCollector(program, config, Object.values(ports));
  const forward = WAYS.map(way => ({
    name: way,
    endpoint: `http://127.0.0.1:${ports[way]}`,
    protocol: `otlp_${way}`,
    retry: { initial: '100ms', max: '500ms' },
    breaker: { open: '200ms', max_open: '1s' },
  }));
  let collector = await start();
  const service = await serve(join(directory, 'kept'), [`forward=${JSON.stringify(forward)}`]);
  try {
    const PARTS = 5;
    let stops = 0;
    for (let part = 0; part < PARTS; part += 1) {
      // Every other part is sent while the Collector is away; where it goes and comes, data is on its way.
      const from = Math.floor((part * requests) / PARTS);
      const to = Math.floor(((part + 1) * requests) / PARTS);
      const sent = send(service.addresses[1]!, from, to);
      if (part % 2 === 1) {
        await stop(collector);
        stops += 1;
        await sent;
        collector = await start();
      } else await sent;
    }
    const deadline = Date.now() + ARRIVAL_MS;
    const whole = requests * RECORDS;
    const counts: string[] = [];
    for (const way of WAYS) {
      for (const signal of SIGNALS) {
        let found = arrived(directory, way, signal);
        while (found.size < whole) {
          assert.ok(Date.now() < deadline, `${signal} by ${way}: ${found.size} of ${whole} came`);
          await sleep(100);
          found = arrived(directory, way, signal);
        }
        let times = 0;
        for (const [number, copies] of found) {
          for (const copy of copies) assert.deepEqual(copy, record(signal, number), `${signal} by ${way}`);
          times += copies.length;
        }
        assert.equal(found.size, whole, `${signal} by ${way}`);
        counts.push(`${signal} by ${way}: ${whole}, ${times - whole} of them twice`);
      }
    }
    console.log(`the Collector, stopped ${stops} times, has everything as it was sent\n${counts.join('\n')}`);
    return undefined;
  } finally {
    await end(service.child);
    await stop(collector);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A receiver and an exporter for each way, so that each has a record of its own. */
function pipelines(directory: string, ports: Record<(typeof WAYS)[number], number>): Json {
  const receivers: Json = {};
  const exporters: Json = {};
  const found: Json = {};
  for (const way of WAYS) {
    const dir = join(directory, way);
    mkdirSync(dir);
    receivers[`otlp/${way}`] = { protocols: { [way]: { endpoint: `127.0.0.1:${ports[way]}` } } };
    exporters[`lines/${way}`] = { dir };
    for (const signal of SIGNALS)
      found[`${signal}/${way}`] = { receivers: [`otlp/${way}`], exporters: [`lines/${way}`] };
  }
  const telemetry = { metrics: { level: 'none' }, logs: { level: 'warn' } };
  return { receivers, exporters, service: { pipelines: found, telemetry } };
}

/** What the Collector wrote so far, by number, each time it came. */
function arrived(directory: string, way: string, signal: Signal): Map<number, Json[]> {
  const found = new Map<number, Json[]>();
  const file = join(directory, way, `${signal}.jsonl`);
  if (!existsSync(file)) return found;
  // The last line may be half-written.
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    for (const item of recordsOf(signal, JSON.parse(line))) {
      const attribute = item.attributes.find(({ key }: Json) => key === 'number');
      const number = Number(attribute.value.intValue);
      found.set(number, [...(found.get(number) ?? []), plain(item) as Json]);
    }
  }
  return found;
}

/**
 * The Collector as a destination, by OTLP/gRPC and OTLP/HTTP at once, stopped and started while data comes: what its
 * exporter wrote is compared with what was sent, record by record.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGo, end, goMissing, serve } from './peers.js';
import { ROOT, run } from './run.js';

type Json = Record<string, unknown>;

const WAYS = ['grpc', 'http'] as const;
const SIGNALS = ['traces', 'metrics', 'logs'] as const;
type Signal = (typeof SIGNALS)[number];
/** Records of one request. */
const RECORDS = 20;
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

async function startCollector(program: string, config: string, ports: readonly number[]): Promise<ChildProcess> {
  const child = spawn(program, ['--config', `file:${config}`], { stdio: ['ignore', 'inherit', 'inherit'] });
  for (const port of ports) {
    const deadline = Date.now() + 60_000;
    while (!(await answers(port))) {
      assert.equal(child.exitCode, null, 'the Collector ended');
      assert.ok(Date.now() < deadline, 'the Collector does not listen');
      await sleep(50);
    }
  }
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
}

const answers = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** A port that is free now: the Collector must come back to the same one. */
const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });

async function send(address: string, from: number, to: number): Promise<void> {
  for (let request = from; request < to; request += 1) {
    for (const signal of SIGNALS) {
      const response = await fetch(`http://${address}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(envelope(signal, request)),
      });
      assert.equal(response.status, 200, await response.text());
    }
  }
}

const text = (value: string) => ({ stringValue: value });
const time = (number: number) => `${1_700_000_000_000_000_000n + BigInt(number) * 1_000_003n}`;
const hex = (number: number, digits: number) => (number + 1).toString(16).padStart(digits, '0');

/** One record as it is sent, and as the Collector writes it. */
function record(signal: Signal, number: number): Json {
  const attributes = [
    { key: 'number', value: { intValue: `${number}` } },
    { key: 'deep', value: { arrayValue: { values: [text(`n${number}`), { boolValue: true }, { doubleValue: 0.5 }] } } },
  ];
  switch (signal) {
    case 'traces':
      return {
        traceId: hex(number, 32),
        spanId: hex(number, 16),
        flags: 256,
        name: `span ${number}`,
        kind: 2,
        startTimeUnixNano: time(number),
        endTimeUnixNano: time(number + 1),
        attributes,
        events: [{ timeUnixNano: time(number), name: 'event', attributes: [{ key: 'e', value: text('é') }] }],
        status: { message: 'it broke', code: 2 },
      };
    case 'metrics':
      return { attributes, startTimeUnixNano: time(0), timeUnixNano: time(number), asInt: `${number}` };
    case 'logs':
      return {
        timeUnixNano: time(number),
        observedTimeUnixNano: time(number + 1),
        severityNumber: 9,
        severityText: 'INFO',
        body: text(`record ${number} "quoted" é`),
        attributes,
      };
  }
}

function envelope(signal: Signal, request: number): Json {
  const records = Array.from({ length: RECORDS }, (_, index) => record(signal, request * RECORDS + index));
  const resource = { attributes: [{ key: 'service.name', value: text('sender') }] };
  const scope = { name: 'scope', version: '1' };
  switch (signal) {
    case 'traces':
      return { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: records }] }] };
    case 'metrics': {
      const sum = { dataPoints: records, aggregationTemporality: 2, isMonotonic: true };
      return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: [{ name: 'm', unit: '1', sum }] }] }] };
    }
    case 'logs':
      return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: records }] }] };
  }
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

function recordsOf(signal: Signal, line: any): any[] {
  const of = (outer: string, inner: string): any[] =>
    (line[outer] ?? []).flatMap((one: any) => {
      assert.deepEqual(one.resource, { attributes: [{ key: 'service.name', value: text('sender') }] });
      return one[inner].flatMap((part: Json) => {
        assert.deepEqual(part.scope, { name: 'scope', version: '1' });
        return part;
      });
    });
  switch (signal) {
    case 'traces':
      return of('resourceSpans', 'scopeSpans').flatMap(part => part.spans);
    case 'logs':
      return of('resourceLogs', 'scopeLogs').flatMap(part => part.logRecords);
    case 'metrics':
      return of('resourceMetrics', 'scopeMetrics').flatMap(part =>
        part.metrics.flatMap((metric: Json) => {
          const { sum, ...rest } = metric as { sum: Json };
          assert.deepEqual(plain(rest), { name: 'm', unit: '1' });
          assert.deepEqual([sum.aggregationTemporality, sum.isMonotonic], [2, true]);
          return sum.dataPoints;
        }),
      );
  }
}

/** Without what an encoder may leave out: empty text and empty lists. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== '' && !(Array.isArray(item) && item.length === 0));
  return Object.fromEntries(kept.map(([key, item]) => [key, plain(item)]));
}

/**
 * The Collector's otelarrow exporter sends to the OTAP door: streams end every second, with and without compression of messages and of
 * buffers, and nothing may fall back to OTLP. What was kept is compared with what was sent, record by record; what its Go side
 * cannot carry is listed here, and nothing else may differ.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
import { binary, ROOT, run } from './run.js';

/** Of messages on the stream, and of buffers within them. */
const WAYS = [
  ['zstd', 'zstd'],
  ['none', 'none'],
  ['gzip', 'zstd'],
] as const;

/** A request that the Collector gives up must not look like one that was kept. */
const PATIENCE_MS = 120_000;

interface Way {
  readonly name: string;
  readonly address: string;
  readonly output: string;
  readonly service: Awaited<ReturnType<typeof serve>>;
}

/** Sends for so many seconds by every way at once. */
export async function otapCollector(seconds: number): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const program = await buildGo(join(ROOT, 'test/peers/otelarrow'), 'otelarrow');
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-otap-'));
  const ways: Way[] = [];
  const receivers: Json = {};
  const exporters: Json = {};
  const pipelines: Json = {};
  const ports: number[] = [];
  for (const [compression, payload] of WAYS) {
    const name = `${compression}-${payload}`;
    const output = join(directory, name);
    const service = await serve(output);
    const port = await freePort();
    ports.push(port);
    receivers[`otlp/${name}`] = { protocols: { http: { endpoint: `127.0.0.1:${port}` } } };
    exporters[`otelarrow/${name}`] = {
      endpoint: service.addresses[0],
      tls: { insecure: true },
      wait_for_ready: true,
      compression,
      timeout: '20s',
      retry_on_failure: { enabled: true, initial_interval: '100ms', max_interval: '500ms' },
      sending_queue: { enabled: false },
      arrow: { num_streams: 2, max_stream_lifetime: '1s', disable_downgrade: true, payload_compression: payload },
    };
    for (const signal of SIGNALS)
      pipelines[`${signal}/${name}`] = { receivers: [`otlp/${name}`], exporters: [`otelarrow/${name}`] };
    ways.push({ name, address: `127.0.0.1:${port}`, output, service });
  }
  const telemetry = { metrics: { level: 'none' }, logs: { level: 'error' } };
  const config = join(directory, 'collector.json');
  writeFileSync(config, JSON.stringify({ receivers, exporters, service: { pipelines, telemetry } }));
  const collector = await startCollector(program, config, ports);
  try {
    const counts = await Promise.all(ways.map(way => load(way, seconds)));
    await Promise.all(ways.map(fixtures));
    const metrics = await Promise.all(ways.map(({ service }) => counted(service.addresses[1]!)));
    await stop(collector);
    for (const { service } of ways) await end(service.child);
    for (const [at, way] of ways.entries()) {
      const told = await check(way, counts[at]!, metrics[at]!, seconds);
      console.log(told);
    }
    return undefined;
  } finally {
    await stop(collector);
    for (const { service } of ways) await end(service.child);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Sends numbered records one request after the other; how many requests there were. */
async function load(way: Way, seconds: number): Promise<number> {
  const until = Date.now() + seconds * 1000;
  let requests = 0;
  do {
    await send(way.address, requests, requests + 1);
    requests += 1;
    // Two streams of a signal, each a second: some requests meet the end of theirs.
    await sleep(5);
  } while (Date.now() < until);
  return requests;
}

/** The fixtures that have everything OTLP can say. */
const FIXTURES = ['traces-official', 'metrics-official', 'logs-official', 'traces-attributes', 'logs-bodies'] as const;
const signalOf = (name: string) => name.split('-')[0] as Signal;
const bytesOf = (name: string) => readFileSync(join(ROOT, 'test/fixtures', name));

/** The resource of all numbered records; everything else is of a fixture. */
const isNumbered = (group: any) =>
  JSON.stringify(group.resource?.attributes) === '[{"key":"service.name","value":{"stringValue":"sender"}}]';

async function fixtures(way: Way): Promise<void> {
  for (const name of FIXTURES) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const response = await fetch(`http://${way.address}/v1/${signalOf(name)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: bytesOf(`${name}.request.binpb`),
      });
      if (response.status === 200) break;
      assert.ok(
        response.status >= 429 && Date.now() < deadline,
        `${way.name}, ${name}: ${response.status} ${await response.text()}`,
      );
      await sleep(200);
    }
  }
}

/** Counters of a service by their names and labels. */
async function counted(address: string): Promise<Map<string, number>> {
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
}

async function check(way: Way, requests: number, metrics: Map<string, number>, seconds: number): Promise<string> {
  const told: string[] = [];
  for (const signal of SIGNALS) {
    const streams = metrics.get(`otlp_arrow_opened_streams_total{signal="${signal}",protocol="otap"}`) ?? 0;
    assert.ok(streams >= Math.max(2, seconds / 2), `${way.name}, ${signal}: ${streams} streams in ${seconds} s`);
    const by = (protocol: string) =>
      metrics.get(`otlp_arrow_received_records_total{signal="${signal}",protocol="${protocol}"}`) ?? 0;
    assert.equal(by('otlp_grpc'), 0, `${way.name}, ${signal}: nothing falls back to OTLP`);
    const lines = await kept(way, signal);
    const all = requests * RECORDS;
    const found = new Map<number, number>();
    const rest: any[] = [];
    for (const line of lines) {
      for (const [key, groups] of Object.entries(line) as [string, any[]][]) {
        for (const group of groups) {
          if (!isNumbered(group)) {
            rest.push(group);
            continue;
          }
          for (const item of recordsOf(signal, { [key]: [group] })) {
            const number = Number(item.attributes.find((pair: any) => pair.key === 'number').value.intValue);
            found.set(number, (found.get(number) ?? 0) + 1);
            assert.deepEqual(sorted(plain(item)), sorted(record(signal, number)), `${way.name}, ${signal}`);
          }
        }
      }
    }
    assert.equal(found.size, all, `${way.name}, ${signal}: records that came`);
    const times = [...found.values()].reduce((sum, count) => sum + count, 0);
    const names = FIXTURES.filter(name => signalOf(name) === signal);
    const sent = names.flatMap(name => Object.values(JSON.parse(`${bytesOf(`${name}.encoded.json`)}`))[0] as any[]);
    assert.deepEqual(canonical(rest), canonical(sent.map(group => afterGo(group))), `${way.name}: ${names}`);
    told.push(`${signal}: ${all} records, ${times - all} of them twice, on ${streams} streams`);
  }
  return `${way.name}: ${told.join('; ')}`;
}

/** What was kept, as OTLP/JSON. */
async function kept(way: Way, signal: Signal): Promise<Record<string, any[]>[]> {
  const file = join(way.output, '..', `${way.name}-${signal}.jsonl`);
  await run(binary('debug'), ['convert', way.output, '--signal', signal, '--output', file], { quiet: true });
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, any[]>);
}

/** Attributes in an order of their own: OTAP sorts them. */
function sorted(value: any): any {
  if (Array.isArray(value)) {
    const items = value.map(sorted);
    const isPairs = items.every(item => typeof item === 'object' && item !== null && 'key' in item);
    return isPairs ? items.sort((a, b) => (a.key < b.key ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sorted(item)]));
}

/** What the Go side of OTAP loses of a request: each line is one loss, as docs/otap.md lists them. */
function afterGo(value: any, key = ''): any {
  if (Array.isArray(value)) {
    const items = value.map(item => afterGo(item, key));
    const isPairs = key === 'attributes' || key === 'filteredAttributes';
    // Attributes without a key, or with an empty value.
    const isKept = (pair: any) => (pair.key ?? '') !== '' && Object.keys(pair.value ?? {}).length > 0;
    return isPairs ? items.filter(isKept) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    // Metadata of a metric, and the entities of a resource.
    .filter(([name]) => name !== 'metadata' && name !== 'entityRefs')
    // A sum, minimum or maximum of zero is the same as none.
    .filter(([name, item]) => !(['sum', 'min', 'max'].includes(name) && Number(item) === 0));
  return Object.fromEntries(entries.map(([name, item]) => [name, afterGo(item, name)]));
}

/** A request as a set of its records, each beside its resource and scope, in the words of JSON, without what is left out when default. */
function canonical(groups: any[]): string[] {
  const records = groups.flatMap(group =>
    (group.scopeSpans ?? group.scopeLogs ?? group.scopeMetrics ?? []).flatMap((part: any) =>
      (part.spans ?? part.logRecords ?? part.metrics ?? []).flatMap((item: any) => {
        const shared = {
          resource: group.resource ?? {},
          url: group.schemaUrl,
          scope: part.scope ?? {},
          scopeUrl: part.schemaUrl,
        };
        return pointsOf(item).map(one => JSON.stringify(ordered({ ...shared, one })));
      }),
    ),
  );
  return records.sort();
}

/** A metric with each of its points alone; anything else as it is. */
function pointsOf(item: any): any[] {
  const kind = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'].find(name => item[name] !== undefined);
  if (kind === undefined || !Array.isArray(item[kind].dataPoints)) return [item];
  return item[kind].dataPoints.map((point: any) => ({ ...item, [kind]: { ...item[kind], dataPoints: [point] } }));
}

/** Keys and lists in an order of their own, without defaults. */
function ordered(value: any, key = ''): any {
  if (Array.isArray(value)) {
    const items = value.map(item => ordered(item, key));
    const keeps = ['values', 'bucketCounts', 'explicitBounds', 'quantileValues'].includes(key);
    return keeps ? items : items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  const isDefault = (item: any) =>
    item === undefined ||
    item === null ||
    item === '' ||
    item === '0' ||
    item === false ||
    (typeof item === 'object' && Object.keys(item).length === 0);
  const inValue = key === 'value' || key === 'body' || key === 'values';
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, item]): [string, any] => [name, ordered(item, name)])
      .filter(([, item]) => inValue || !isDefault(item))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

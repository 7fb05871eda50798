/**
 * Prometheus 3 as a destination, by its OTLP door: late points and metrics that it cannot translate among good ones, and a server that
 * is killed and comes back. What it stored is read back through its own API.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, goMissing, type Serving, serve } from './peers.js';
import { ROOT, run } from './run.js';

const MODULE = 'github.com/prometheus/prometheus/cmd/prometheus';
const PATIENCE_MS = 60_000;
const SECOND = 1_000_000_000n;

/** One point: the name of its gauge, its value, and its time in nanoseconds. */
type Point = readonly [name: string, value: number, time: bigint];

/** Fails unless everything is stored that can be. Builds the server first, which takes minutes. */
export async function prometheusDoor(): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const program = join(ROOT, 'target/peers', process.platform === 'win32' ? 'prometheus.exe' : 'prometheus');
  await run('go', ['build', '-trimpath', '-tags', 'netgo,remove_all_sd', '-o', program, MODULE], {
    cwd: join(ROOT, 'test/peers/prometheus'),
    env: { GOTOOLCHAIN: 'auto' },
  });
  await scenario(program, { inFlight: 1 }, late);
  await scenario(program, { inFlight: 4, window: '30m' }, untranslated);
  await scenario(program, { inFlight: 1 }, killed);
  await scenario(program, { inFlight: 4, window: '30m' }, killed);
  return undefined;
}

interface Settings {
  readonly inFlight: number;
  /** `out_of_order_time_window`. */
  readonly window?: string;
}

interface Running {
  readonly service: Serving;
  readonly url: string;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

async function scenario(program: string, settings: Settings, play: (running: Running) => Promise<string>) {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-prometheus-'));
  const log = createWriteStream(join(directory, 'log'));
  const window = settings.window && `storage: {tsdb: {out_of_order_time_window: ${settings.window}}}\n`;
  writeFileSync(join(directory, 'p.yml'), `global: {scrape_interval: 1h}\n${window ?? ''}`);
  let server: ChildProcess | undefined;
  let address = '127.0.0.1:0';
  const start = async () => {
    const options = [`--config.file=${join(directory, 'p.yml')}`, `--storage.tsdb.path=${join(directory, 'data')}`];
    const listen = [`--web.listen-address=${address}`, '--web.enable-otlp-receiver'];
    server = spawn(program, [...options, ...listen], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      log.write(text);
    });
    await until('Prometheus', async () => {
      assert.equal(server?.exitCode, null, said);
      address = /component=web [^\n]*address=(127\.0\.0\.1:[1-9][0-9]*)/.exec(said)?.[1] ?? address;
      if (address.endsWith(':0')) return false;
      return fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  };
  const stop = async () => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise(resolve => server!.once('close', resolve));
    server.kill('SIGKILL');
    await ended;
  };
  await start();
  const url = `http://${address}`;
  const forward = {
    endpoint: `${url}/api/v1/otlp`,
    protocol: 'otlp_http',
    max_in_flight: settings.inFlight,
    retry: { initial: '100ms', max: '1s' },
  };
  const service = await serve(join(directory, 'kept'), [`forward=${JSON.stringify(forward)}`]);
  try {
    console.log(
      `${play.name}, ${settings.inFlight} in flight, window ${settings.window ?? 'none'}: ${await play({ service, url, stop, start })}`,
    );
  } finally {
    await end(service.child);
    await stop();
    log.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Eight requests with one late point each. */
async function late({ service, url }: Running): Promise<string> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const gauges = (count: number, value: number, time: bigint): Point[] =>
    Array.from({ length: count }, (_, at) => [`g${at}`, value, time] as const);
  await send(service, gauges(100, 1, now));
  await delivered(service);
  for (let request = 1n; request <= 8n; request += 1n) {
    const fresh = gauges(99, Number(request) + 1, now + request * SECOND);
    await send(service, [...fresh, ['g99', 5, now - 60n * SECOND]]);
  }
  await delivered(service);
  assert.deepEqual(await counted(service), { forwarded: 892, rejected: 8 });
  return stored(url, 892);
}

/** Eight requests with a delta sum and a histogram of a scale that no native histogram has. */
async function untranslated({ service, url }: Running): Promise<string> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const point = { timeUnixNano: `${now}` };
  const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...point, asInt: '3' }] };
  const positive = { offset: 0, bucketCounts: ['1'] };
  const buckets = { aggregationTemporality: 2, dataPoints: [{ ...point, scale: -5, count: '1', sum: 1, positive }] };
  const bad = [
    { name: 'd', sum },
    { name: 'e', exponentialHistogram: buckets },
  ];
  for (let request = 0; request < 8; request += 1) {
    const time = now + BigInt(request) * SECOND;
    await send(
      service,
      Array.from({ length: 100 }, (_, at) => [`g${at}`, request, time] as const),
      bad,
    );
  }
  await delivered(service);
  assert.deepEqual(await counted(service), { forwarded: 800, rejected: 16 });
  return stored(url, 800);
}

/** 8,000 points, and a server that is killed on the way. */
async function killed({ service, url, stop, start }: Running): Promise<string> {
  const now = BigInt(Date.now()) * 1_000_000n;
  for (let request = 0; request < 400; request += 1) {
    const time = now + BigInt(request) * 10_000_000n;
    await send(
      service,
      Array.from({ length: 20 }, (_, at) => [`g${at}`, request, time] as const),
    );
    if (request === 150) await stop();
    if (request === 250) await start();
  }
  await delivered(service);
  return stored(url, 8_000);
}

async function send(service: Serving, points: readonly Point[], more: readonly object[] = []): Promise<void> {
  const metrics = points.map(([name, asDouble, time]) => ({
    name,
    gauge: { dataPoints: [{ timeUnixNano: `${time}`, asDouble }] },
  }));
  const attributes = [{ key: 'service.name', value: { stringValue: 'shop' } }];
  const resourceMetrics = [{ resource: { attributes }, scopeMetrics: [{ metrics: [...metrics, ...more] }] }];
  const response = await fetch(`http://${service.addresses[1]}/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceMetrics }),
  });
  assert.equal(response.status, 200, await response.text());
}

async function counter(service: Serving, name: string): Promise<number> {
  const text = await (await fetch(`http://${service.addresses[1]}/metrics`)).text();
  const line = text
    .split('\n')
    .find(one => one.startsWith(`otlp_arrow_${name}{`) && one.includes('"metrics"') && one.includes('destination='));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const counted = async (service: Serving) => ({
  forwarded: await counter(service, 'forwarded_records_total'),
  rejected: await counter(service, 'rejected_records_total'),
});

/** The gauge of what waits is measured once a second. */
async function delivered(service: Serving): Promise<void> {
  await sleep(1_500);
  await until('the end of the backlog', async () => (await counter(service, 'forward_lag_records')) === 0);
}

async function stored(url: string, wanted: number): Promise<string> {
  const query = new URLSearchParams({ query: '{__name__=~"g.*"}[10m]', time: `${Math.floor(Date.now() / 1000) + 60}` });
  const answer = (await (await fetch(`${url}/api/v1/query?${query}`)).json()) as {
    data: { result: { values: unknown[] }[] };
  };
  const points = answer.data.result.reduce((sum, { values }) => sum + values.length, 0);
  assert.equal(points, wanted, `${points} of ${wanted} points are stored`);
  return `${points} of ${wanted} points stored`;
}

async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await done())) {
    assert.ok(Date.now() < deadline, `${what} did not come about`);
    await sleep(100);
  }
}

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { fixture, node, type Options } from './children.js';
import { directory, files, readDirectory } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

function run(how: string, outputDir: string, options: Options = {}, before: string[] = []) {
  return node([...before, '--import', 'otlp-arrow/register', fixture('app'), how], {
    cwd: root,
    ...options,
    env: { OTLP_ARROW_OUTPUT_DIR: outputDir, OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', ...options.env },
  });
}

const term: Options = {
  onOutput: (text, child) => {
    if (text.includes('ready')) child.kill('SIGTERM');
  },
};

describe('a program is recorded without a line of it changed, and ends as it would have', () => {
  const ways: [string, object, Options][] = [
    ['itself', { code: 0, signal: null }, {}],
    ['exit', { code: 5, signal: null }, {}],
    ['throw', { code: 1, signal: null }, {}],
    ['handled', { code: 7, signal: null }, term],
  ];
  if (process.platform !== 'win32') ways.push(['signal', { code: null, signal: 'SIGTERM' }, term]);

  test.each(ways)('%s', async (how, end, options) => {
    const outputDir = directory();
    const ended = await run(how, outputDir, {
      ...options,
      env: { OTEL_SERVICE_NAME: 'zero', OTEL_RESOURCE_ATTRIBUTES: 'team=shop' },
    });
    expect(ended, ended.stderr).toMatchObject(end);
    expect(ended.stderr).not.toContain('otlp-arrow');

    const spans = await readDirectory(outputDir, 'traces');
    const work = spans.find(row => row.name === 'work')!;
    expect(work.service_name).toBe('zero');
    expect(JSON.parse(work.resource_attributes).team).toBe('shop');
    // http was instrumented: the client's span and the server's belong to the program's own.
    const kinds = spans.filter(row => row.trace_id === work.trace_id).map(row => row.kind);
    expect(kinds.toSorted()).toEqual(['client', 'internal', 'server']);

    const [record] = await readDirectory(outputDir, 'logs');
    expect(record).toMatchObject({ body: 'working', trace_id: work.trace_id, span_id: work.span_id });

    const points = await readDirectory(outputDir, 'metrics');
    expect(points.find(row => row.metric_name === 'visits')).toMatchObject({ value: 2, service_name: 'zero' });
  });
});

test('OTEL_EXPORTER_OTLP_ENDPOINT alone forwards what is recorded', async () => {
  const paths: string[] = [];
  const remote = createServer((request, response) => {
    request.resume();
    request.once('end', () => {
      paths.push(request.url ?? '');
      response.end();
    });
  });
  await new Promise<void>(resolve => remote.listen(0, '127.0.0.1', resolve));
  const { port } = remote.address() as AddressInfo;
  const outputDir = directory();
  try {
    const ended = await run('itself', outputDir, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } });
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    // What the program had no time to forward at its end is kept, and sent by the next run.
    await run('itself', outputDir, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } });
    expect(new Set(paths)).toEqual(new Set(['/v1/traces', '/v1/logs', '/v1/metrics']));
  } finally {
    remote.closeAllConnections();
    remote.close();
  }
});

test('metrics are collected at OTEL_METRIC_EXPORT_INTERVAL', async () => {
  const outputDir = directory();
  const visits = async () =>
    files(outputDir, 'metrics').length > 0 &&
    (await readDirectory(outputDir, 'metrics')).some(row => row.metric_name === 'visits');
  let seen: Promise<boolean> | undefined;
  const ended = await run('signal', outputDir, {
    env: { OTEL_METRIC_EXPORT_INTERVAL: '50' },
    onOutput: (_, child) => {
      // Read beside the program: at its end the last metrics would be collected anyway.
      seen ??= vi.waitUntil(visits, { timeout: 20_000, interval: 50 }).finally(() => child.kill('SIGKILL'));
    },
  });
  expect(await seen).toBe(true);
  expect(ended.signal).toBe('SIGKILL');
});

test('OTEL_TRACES_SAMPLER is honoured', async () => {
  const outputDir = directory();
  expect(await run('itself', outputDir, { env: { OTEL_TRACES_SAMPLER: 'always_off' } })).toMatchObject({ code: 0 });
  expect(await readDirectory(outputDir, 'traces')).toEqual([]);
  expect(await readDirectory(outputDir, 'logs')).toHaveLength(1);
});

test('OTEL_*_EXPORTER=none leaves a signal out, and all of them leave the program alone', async () => {
  const outputDir = directory();
  const none = { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'None' };
  expect(await run('itself', outputDir, { env: none })).toMatchObject({ code: 0, stderr: '' });
  expect(await readDirectory(outputDir, 'logs')).toHaveLength(1);
  expect([files(outputDir, 'traces'), files(outputDir, 'metrics')]).toEqual([[], []]);

  const untouched = directory();
  const all = { ...none, OTEL_LOGS_EXPORTER: 'none' };
  expect(await run('itself', untouched, { env: all })).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(`${untouched}/writers`)).toBe(false);
});

test('values the SDK cannot use are not used, and nothing is lost by them', async () => {
  const outputDir = directory();
  const ended = await run('itself', outputDir, {
    env: {
      OTEL_BSP_MAX_QUEUE_SIZE: '0.5',
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '-1',
      OTEL_METRIC_EXPORT_INTERVAL: '99999999999',
      OTEL_METRIC_EXPORT_TIMEOUT: '1e99',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'banana',
    },
  });
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stderr).toMatch(/^otlp-arrow\/register: nothing is forwarded: .*OTEL_EXPORTER_OTLP_ENDPOINT.*\n$/);
  expect((await readDirectory(outputDir, 'traces')).some(row => row.name === 'work')).toBe(true);
  expect(await readDirectory(outputDir, 'logs')).toHaveLength(1);
  const visits = (await readDirectory(outputDir, 'metrics')).filter(row => row.metric_name === 'visits');
  expect(visits, 'collected at the end, not over and over').toHaveLength(1);
});

test('OTEL_SDK_DISABLED switches it off', async () => {
  const outputDir = directory();
  expect(await run('itself', outputDir, { env: { OTEL_SDK_DISABLED: 'true' } })).toMatchObject({ code: 0, stderr: '' });
  expect(files(outputDir, 'traces')).toEqual([]);
});

test('an SDK that is registered already is left alone, and it says so', async () => {
  const outputDir = directory();
  const ended = await run('itself', outputDir, {}, ['--import', pathToFileURL(fixture('own-sdk')).href]);
  expect(ended.code).toBe(0);
  expect(ended.stderr).toMatch(/registered for traces already.*spanExporter\(\)/);
});

test('a directory that cannot be written does not keep the program from running', async () => {
  const ended = await run('itself', fixture('app'));
  expect(ended.code).toBe(0);
  expect(ended.stderr.match(/^otlp-arrow\/register: .*app\.js/gm)).toHaveLength(1);
});

test('exporters of the SDK are loaded by whoever uses them', async () => {
  // The program sets up a second SDK by its variables, as it may without us.
  const program = `
    const loaded = () => Object.keys(require.cache).filter(file => /exporter-(trace|zipkin|prometheus)/.test(file)).length;
    const before = loaded();
    const { NodeSDK } = require('@opentelemetry/sdk-node');
    const sdk = new NodeSDK();
    sdk.start();
    const names = sdk._tracerProvider._activeSpanProcessor._spanProcessors.map(one => one._exporter.constructor.name);
    console.log(JSON.stringify({ before, after: loaded() > 0, names }));
    sdk.shutdown().finally(() => process.exit());
  `;
  const ended = await node(['--import', 'otlp-arrow/register', '--eval', program], {
    cwd: root,
    env: { OTLP_ARROW_OUTPUT_DIR: directory(), OTEL_TRACES_EXPORTER: 'zipkin,otlp', OTEL_LOGS_EXPORTER: 'none' },
  });
  expect(JSON.parse(ended.stdout), ended.stderr).toEqual({
    before: 0,
    after: true,
    names: ['ZipkinExporter', 'OTLPTraceExporter'],
  });
});

/** Old and new SDKs, grpc-js and package managers: the package installs beside each, and what needs a newer one says so. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directory, leaveOut, readDirectory } from '../node/support.js';
import { forThisPlatform, ROOT } from '../package/packed.js';
import { program, share } from './guests.js';

const run = promisify(execFile);

/** The exporters, by hand, as the SDK of that line has them. */
const OF_2021 = `
import { trace } from '@opentelemetry/api';
import sdk from '@opentelemetry/sdk-trace-base';
import { OtlpLibrary } from 'otlp-arrow';
const library = await OtlpLibrary.open();
const provider = new sdk.BasicTracerProvider();
provider.addSpanProcessor(new sdk.SimpleSpanProcessor(library.spanExporter()));
provider.register();
trace.getTracer('t', '1.2.3').startSpan('hello', { attributes: { a: 1 } }).end();
await provider.forceFlush();
`;
const BY_NODE_SDK = `
import { trace, metrics as api } from '@opentelemetry/api';
import { logs as logApi } from '@opentelemetry/api-logs';
import { logs, metrics, NodeSDK } from '@opentelemetry/sdk-node';
import { OtlpLibrary } from 'otlp-arrow';
const library = await OtlpLibrary.open();
const metricReader = new metrics.PeriodicExportingMetricReader({ exporter: library.metricExporter() });
const processor = new logs.BatchLogRecordProcessor(
  PROCESSOR_TAKES_AN_OBJECT ? { exporter: library.logExporter() } : library.logExporter(),
);
const sdk = new NodeSDK({ traceExporter: library.spanExporter(), metricReader, logRecordProcessors: [processor] });
sdk.start();
trace.getTracer('t', '1.2.3').startSpan('hello', { attributes: { a: 1 } }).end();
api.getMeter('m').createCounter('counted').add(2);
logApi.getLogger('l').emit({ body: 'said', severityNumber: 9 });
// Older ones shut down before the resource is known.
await Promise.all([metricReader.forceFlush(), processor.forceFlush()]);
await sdk.shutdown();
`;
const nodeSdk = (takesAnObject: boolean) => BY_NODE_SDK.replace('PROCESSOR_TAKES_AN_OBJECT', String(takesAnObject));
const BY_GRPC = `
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { OtlpLibrary } from 'otlp-arrow';
import { addOtlpServices, otlpServerOptions } from 'otlp-arrow/grpc';
const library = await OtlpLibrary.open();
const server = new grpc.Server(otlpServerOptions);
addOtlpServices(server, library);
const port = await new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(),
  (error, port) => (error ? reject(error) : resolve(port))));
// Older ones listen only then, newer ones warn of it.
if (typeof server.start === 'function') process.noDeprecation = true, server.start();
const client = new grpc.Client('127.0.0.1:' + port, grpc.credentials.createInsecure());
const request = readFileSync(${JSON.stringify(join(ROOT, 'test/fixtures/traces-official.request.binpb'))});
await new Promise((resolve, reject) => client.makeUnaryRequest(
  '/opentelemetry.proto.collector.trace.v1.TraceService/Export', bytes => bytes, bytes => bytes, request,
  (error, answer) => (error ? reject(error) : resolve(answer))));
client.close();
server.forceShutdown();
`;

interface Case {
  readonly name: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly code: string;
  /** The first span that is kept. */
  readonly span: string;
  /** What `otlp-arrow/register` says where it does not record. */
  readonly refused?: RegExp;
  /** Whether `register` has an SDK at all. */
  readonly register?: true;
}

const CASES: readonly Case[] = [
  {
    name: 'sdk-node 0.57 (the 1.x line)',
    packages: { '@opentelemetry/sdk-node': '0.57.2' },
    code: nodeSdk(false),
    span: 'hello',
    register: true,
    refused:
      /installed is @opentelemetry\/sdk-node 0\.57\.2, and this needs 0\.200 or newer: npm install @opentelemetry\/sdk-node@latest/,
  },
  {
    name: 'sdk-node 0.52 and API 1.4',
    packages: {
      '@opentelemetry/sdk-node': '0.52.1',
      '@opentelemetry/api': '1.4.1',
      '@opentelemetry/api-logs': '0.52.1',
    },
    code: nodeSdk(false).replace('logRecordProcessors: [processor]', 'logRecordProcessor: processor'),
    span: 'hello',
    register: true,
    refused: /installed is @opentelemetry\/sdk-node 0\.52\.1, and this needs 0\.200 or newer/,
  },
  {
    name: 'sdk-node 0.200',
    packages: { '@opentelemetry/sdk-node': '0.200.0', '@opentelemetry/api': '1.9.0' },
    code: nodeSdk(false),
    span: 'hello',
    register: true,
  },
  {
    name: 'sdk-node 0.223',
    packages: { '@opentelemetry/sdk-node': '0.223.0', '@opentelemetry/api': '1.9.1' },
    code: nodeSdk(true),
    span: 'hello',
    register: true,
  },
  {
    name: 'API 1.0 and sdk-trace-base 1.0',
    packages: { '@opentelemetry/api': '1.0.4', '@opentelemetry/sdk-trace-base': '1.0.1' },
    code: OF_2021,
    span: 'hello',
  },
  {
    name: 'grpc-js 1.6',
    packages: { '@grpc/grpc-js': '1.6.12' },
    code: BY_GRPC,
    span: 'GET /orders/{id}',
  },
  {
    name: 'grpc-js 1.8, API 1.9',
    packages: { '@grpc/grpc-js': '1.8.22', '@opentelemetry/api': '1.9.0' },
    code: BY_GRPC,
    span: 'GET /orders/{id}',
  },
];

const REGISTERED = `
import { metrics, trace } from '@opentelemetry/api';
trace.getTracer('t').startSpan('hello').end();
metrics.getMeter('m').createCounter('counted').add(2);
console.log('ran');
`;

/** Each as strict about peers as it gets. */
const MANAGERS = [
  { name: 'npm', file: 'npm', args: ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--strict-peer-deps'] },
  {
    name: 'npm 10',
    tool: 'npm/bin/npm-cli.js',
    args: ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--strict-peer-deps'],
  },
  { name: 'pnpm', tool: 'pnpm/bin/pnpm.cjs', args: ['install', '--ignore-scripts', '--strict-peer-dependencies'] },
  { name: 'Yarn', tool: '@yarnpkg/cli-dist/bin/yarn.js', args: ['install'] },
] as const;
const YARNRC =
  'nodeLinker: node-modules\nenableTelemetry: false\nenableImmutableInstalls: false\nenableScripts: false\n';

const home = mkdtempSync(join(tmpdir(), 'otlp-arrow-peers-'));
let packed: string;
let missing: string | undefined;
beforeAll(async () => {
  packed = await forThisPlatform(home);
  writeFileSync(join(home, 'package.json'), '{"private":true}');
  const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
  try {
    await run('npm', [...install, 'npm@10', 'pnpm@10', '@yarnpkg/cli-dist@4'], {
      cwd: home,
      shell: process.platform === 'win32',
    });
  } catch (error) {
    missing = `the package managers cannot be installed here: ${(error as Error).message.split('\n')[0]}`;
  }
}, 180_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every case once, each manager at least once. */
const PAIRS = CASES.map((one, n) => ({ ...one, manager: MANAGERS[n % MANAGERS.length]! }));

describe('beside', () => {
  test.each(share(PAIRS))(
    '$name, by $manager.name',
    async ({ packages, code, span, register, refused, manager }) => {
      const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-peer-'));
      try {
        const dependencies = { ...packages, 'otlp-arrow': `file:${packed}` };
        // Of the SDK's own line, where a strict manager shows nothing that is not named.
        const sdk = packages['@opentelemetry/sdk-node'];
        const named = sdk
          ? { '@opentelemetry/api-logs': sdk, '@opentelemetry/api': '^1.4.0', ...dependencies }
          : dependencies;
        writeFileSync(
          join(folder, 'package.json'),
          JSON.stringify({ private: true, type: 'module', dependencies: named }),
        );
        writeFileSync(join(folder, '.yarnrc.yml'), YARNRC);
        writeFileSync(join(folder, 'yarn.lock'), '');
        const [file, ...before] =
          'tool' in manager ? [process.execPath, join(home, 'node_modules', manager.tool)] : [manager.file];
        const env = { ...process.env, NODE_OPTIONS: '', CI: '' };
        await run(file, [...before, ...manager.args], { cwd: folder, env, shell: process.platform === 'win32' });

        const outputDir = directory();
        writeFileSync(join(folder, 'main.mjs'), code);
        const main = await program(join(folder, 'main.mjs'), {
          cwd: folder,
          env: { OTLP_ARROW_OUTPUT_DIR: outputDir },
        });
        expect(main.seen, main.stderr).toEqual({ code: 0, signal: null, stdout: '' });
        expect((await readDirectory(outputDir, 'traces'))[0]!.name).toBe(span);
        if (sdk) {
          expect((await readDirectory(outputDir, 'logs')).map(row => row.body)).toEqual(['said']);
          expect((await readDirectory(outputDir, 'metrics')).map(row => row.metric_name)).toContain('counted');
        }

        if (!register) return;
        const registered = directory();
        writeFileSync(join(folder, 'registered.mjs'), REGISTERED);
        const how = { cwd: folder, env: { OTLP_ARROW_OUTPUT_DIR: registered } };
        const ended = await program(join(folder, 'registered.mjs'), how, ['--import', 'otlp-arrow/register']);
        expect(ended.seen, ended.stderr).toEqual({ code: 0, signal: null, stdout: 'ran\n' });
        if (refused) {
          expect(ended.stderr).toMatch(refused);
          expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
        } else {
          expect(ended.stderr).not.toContain('not recorded');
          expect((await readDirectory(registered, 'traces')).map(row => row.name)).toEqual(['hello']);
          expect((await readDirectory(registered, 'metrics')).map(row => row.metric_name)).toContain('counted');
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    180_000,
  );

  test('the package managers are here', context => {
    if (missing) leaveOut(context, missing);
  });
});

test('peers are optional, and of any version', () => {
  const { peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(Object.values(peerDependencies)).toEqual(Object.keys(peerDependenciesMeta).map(() => '*'));
  expect(Object.keys(peerDependenciesMeta)).toEqual(Object.keys(peerDependencies));
  for (const { optional } of Object.values<{ optional: boolean }>(peerDependenciesMeta)) expect(optional).toBe(true);
});

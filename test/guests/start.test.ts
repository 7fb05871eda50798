/**
 * The SDK is loaded when telemetry is asked for the first time, and nobody sees a difference: each program is recorded once
 * so, and once with variables that have it loaded at the start.
 */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directory, readDirectory } from '../node/support.js';
import { type Home, home, link, need, program, ROOT } from './guests.js';

/** What it does by itself, but said. */
const AT_START = { OTEL_NODE_RESOURCE_DETECTORS: 'env,process,host' };
const SIGNALS = ['traces', 'metrics', 'logs'] as const;

let made: Home;
beforeAll(async () => {
  made = (await home([])) as Home;
  for (const name of ['@opentelemetry/api-logs', 'express']) link(made.folder, name, join(ROOT, 'node_modules', name));
});
afterAll(() => made.remove());

/** Says whether the SDK is loaded. */
const HEAD = `
import { createRequire } from 'node:module';
const { cache } = createRequire(import.meta.url);
const loaded = () => Object.keys(cache).some(file => /[\\\\/]sdk-node[\\\\/]/.test(file));
const before = loaded();
process.on('exit', () => console.log('loaded', before, loaded()));
`;

async function recorded(name: string, code: string, env: Readonly<Record<string, string>> = {}) {
  const file = join(made.folder, `${name.replaceAll(/\W/g, '-')}.mjs`);
  writeFileSync(file, HEAD + code);
  // Its own, and gone with the home: several run at once.
  const outputDir = mkdtempSync(join(made.folder, 'out-'));
  const how = { cwd: made.folder, env: { OTLP_ARROW_OUTPUT_DIR: outputDir, OTEL_SERVICE_NAME: 'guest', ...env } };
  const ran = await program(file, how, ['--import', 'otlp-arrow/register']);
  const rows = await Promise.all(SIGNALS.map(signal => readDirectory(outputDir, signal)));
  return { ...ran, rows };
}

/** What of rows is of the program and not of one run. */
const shown = (rows: readonly Record<string, unknown>[][]) =>
  rows.map(signal =>
    signal
      .map(row => ({
        name: row.name ?? row.metric_name ?? row.body,
        scope: row.scope_name,
        kind: row.kind,
        isChild: typeof row.parent_span_id === 'string' && row.parent_span_id !== '',
        trace: String(row.trace_id).startsWith('0af7') ? row.trace_id : typeof row.trace_id,
        resource: Object.entries(JSON.parse(String(row.resource_attributes)) as object)
          .filter(([key]) => key !== 'process.pid')
          .toSorted(),
      }))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  );

const ASKED = `const { get } = await import('node:http');
  const ask = (port, headers = {}) => new Promise(resolve => get({ host: '127.0.0.1', port, path: '/items/7', headers, agent: false },
    response => response.resume().on('end', resolve)));`;
const PROGRAMS: Readonly<Record<string, string>> = {
  'a span, and the end in the same task': `
    import { trace } from '@opentelemetry/api';
    trace.getTracer('app').startSpan('one').end(); process.exit(3);`,
  'a counter and an observable gauge': `
    import { metrics } from '@opentelemetry/api';
    metrics.getMeter('app').createCounter('counted').add(2);
    metrics.getMeter('app').createObservableGauge('depth').addCallback(result => result.observe(7));`,
  'a log record, and an error': `
    import { logs } from '@opentelemetry/api-logs';
    logs.getLogger('app').emit({ body: 'said', severityNumber: 9 }); throw new Error('of the program');`,
  'a context before any span': `
    import { context, createContextKey, trace } from '@opentelemetry/api';
    const key = createContextKey('key');
    context.with(context.active().setValue(key, 'kept'), () => setTimeout(() => {
      trace.getTracer('app').startActiveSpan(String(context.active().getValue(key)), span => {
        trace.getTracer('app').startSpan('inner').end(); span.end(); });
    }, 5));`,
  'a propagator before any span': `
    import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
    const parent = propagation.extract(ROOT_CONTEXT, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', baggage: 'a=b' });
    trace.getTracer('app').startSpan('of ' + propagation.getBaggage(parent)?.getEntry('a')?.value, {}, parent).end();`,
  'a server whose first request has a parent': `${ASKED}
    const { default: express } = await import('express');
    const server = express().get('/items/:id', (q, r) => { r.json(q.params); }).listen(0, '127.0.0.1', async () => {
      await ask(server.address().port, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
      server.close();
    });`,
  'a server by require': `
    const require = createRequire(import.meta.url);
    const { createServer, get } = require('http');
    const server = createServer((q, r) => r.end('ok')).listen(0, '127.0.0.1', () =>
      get({ host: '127.0.0.1', port: server.address().port, agent: false }, r => r.resume().on('end', () => server.close())));`,
  'a thread': `
    import { Worker, isMainThread } from 'node:worker_threads';
    import { trace } from '@opentelemetry/api';
    if (isMainThread) new Worker(new URL(import.meta.url)); else trace.getTracer('app').startSpan('of a thread').end();`,
  'variables that the program sets for others': `
    import { trace } from '@opentelemetry/api';
    Object.assign(process.env, { OTEL_TRACES_SAMPLER: 'always_off', OTEL_SERVICE_NAME: 'other', OTEL_RESOURCE_ATTRIBUTES: 'a=b' });
    trace.getTracer('app').startSpan('sampled').end();
    console.log(process.env.OTEL_TRACES_SAMPLER, process.env.OTEL_SERVICE_NAME, process.env.OTEL_RESOURCE_ATTRIBUTES);`,
  'an SDK of its own, later': `
    import { trace, ProxyTracerProvider } from '@opentelemetry/api';
    console.log(trace.setGlobalTracerProvider(new ProxyTracerProvider()));
    trace.getTracer('app').startSpan('ours').end();
    console.log(trace.getTracerProvider().getDelegate().constructor.name);`,
};

// Where the name of a machine takes turns of the event loop, the SDK is loaded at the start.
describe.skipIf(process.platform !== 'linux')('the SDK is loaded at its first use', () => {
  test.concurrent.each(Object.entries(PROGRAMS))(
    '%s',
    async (name, code) => {
      const [late, early] = [await recorded(name, code), await recorded(name, code, AT_START)];
      expect(late.seen.stdout, late.stderr).toContain('loaded false');
      expect(early.seen.stdout, early.stderr).toContain('loaded true true');
      const without = (stdout: string) => stdout.replaceAll(/^loaded.*$/gm, '');
      expect({ ...late.seen, stdout: without(late.seen.stdout) }).toEqual({
        ...early.seen,
        stdout: without(early.seen.stdout),
      });
      expect(late.stderr).not.toContain('otlp-arrow/register:');
      expect(late.rows.flat()).not.toEqual([]);
      expect(shown(late.rows)).toEqual(shown(early.rows));
    },
    60_000,
  );

  test('a server has it before its first request, a client with that', async () => {
    const listens = `const { createServer, get } = await import('node:http');
      const then = loaded();
      const server = createServer((q, r) => r.end('ok')).listen(0, '127.0.0.1', () => { console.log(then, loaded()); server.close(); });`;
    expect((await recorded('listens', listens)).seen.stdout).toContain('false true\n');
    const asks = `const { get } = await import('node:http');
      const { createServer } = await import('node:net');
      const answer = 'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok';
      const server = createServer(socket => socket.once('data', () => socket.end(answer))).listen(0, '127.0.0.1', () => {
        const before = loaded();
        get({ port: server.address().port, host: '127.0.0.1' }, r => r.resume().on('end', () => { console.log(before, loaded()); server.close(); }));
      });`;
    const { seen, stderr, rows } = await recorded('asks', asks);
    expect(seen.stdout, stderr).toContain('false true\n');
    expect(rows[0]!.map(({ kind }) => kind)).toEqual(['client']);
  }, 60_000);

  test('fetch of Node.js and the instrumentation of undici', async context => {
    const { folder, remove } = need(await home(['@opentelemetry/instrumentation-undici@0.33']), context);
    try {
      const file = join(folder, 'fetches.mjs');
      writeFileSync(
        file,
        `${HEAD}const { createServer } = await import('node:net');
        const answer = 'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok';
        const seen = [];
        const server = createServer(socket => socket.once('data', data => { seen.push(/traceparent/i.test(data)); socket.end(answer); })).listen(0, '127.0.0.1', async () => {
          await (await fetch('http://127.0.0.1:' + server.address().port)).text(); console.log(seen.join()); server.close(); });`,
      );
      const outputDir = mkdtempSync(join(folder, 'out-'));
      const how = { cwd: folder, env: { OTLP_ARROW_OUTPUT_DIR: outputDir } };
      const { seen, stderr } = await program(file, how, ['--import', 'otlp-arrow/register']);
      expect(seen, stderr).toEqual({ code: 0, signal: null, stdout: 'true\nloaded false true\n' });
      expect((await readDirectory(outputDir, 'traces')).map(({ kind }) => kind)).toEqual(['client']);
    } finally {
      remove();
    }
  }, 120_000);

  test('a program that makes none goes without', async () => {
    const { seen, stderr, rows } = await recorded(
      'none',
      `import { get } from 'node:http'; import 'node:https'; console.log('x', typeof get);`,
    );
    expect(seen, stderr).toEqual({ code: 0, signal: null, stdout: 'x function\nloaded false false\n' });
    expect(rows).toEqual([[], [], []]);
  });

  test('what is asked of the SDK about itself, it is asked at the start', async () => {
    const { seen } = await recorded('level', '', { OTEL_LOG_LEVEL: 'debug' });
    expect(seen.stdout).toContain('loaded true true');
  });

  test('one that cannot be loaded is said then, and the program goes on', async () => {
    const broken = (await home([])) as Home;
    try {
      const place = join(broken.folder, 'node_modules/@opentelemetry/sdk-node');
      cpSync(join(ROOT, 'node_modules/@opentelemetry/sdk-node'), place, { recursive: true });
      writeFileSync(join(place, 'build/src/index.js'), `throw new Error('half installed');`);
      for (const name of ['sdk-metrics', 'resources']) {
        link(broken.folder, `@opentelemetry/${name}`, join(ROOT, 'node_modules/@opentelemetry', name));
      }
      const file = join(broken.folder, 'app.mjs');
      writeFileSync(
        file,
        `import { trace } from '@opentelemetry/api'; trace.getTracer('t').startSpan('s').end(); console.log('on');`,
      );
      const env = { OTLP_ARROW_OUTPUT_DIR: directory() };
      const { seen, stderr } = await program(file, { cwd: broken.folder, env }, ['--import', 'otlp-arrow/register']);
      expect(seen).toEqual({ code: 0, signal: null, stdout: 'on\n' });
      expect(stderr).toMatch(/^otlp-arrow\/register: telemetry is not recorded: half installed\n$/);
    } finally {
      broken.remove();
    }
  }, 60_000);
});

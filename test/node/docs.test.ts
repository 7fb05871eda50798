/** The documents: their snippets run as they stand, their links lead somewhere. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { type Ended, node, type Options } from './children.js';
import { documents, read, root, snippets, withoutProvider } from './markdown.js';
import { directory, open, type Row, readDirectory, rows } from './support.js';

const INTEGRATIONS = 'docs/integrations.md';
const all = snippets(INTEGRATIONS);
const tried = new Set<string>();

function snippet(name: string): string {
  tried.add(`node/${name}`);
  const code = all.get(`node/${name}`);
  if (code === undefined) throw new Error(`${INTEGRATIONS} has no snippet named node/${name}`);
  return code;
}

/** Writes a program below the repository, where the name of the package leads to itself, and returns its folder. */
function program(name: string, file: string, code: string): string {
  const folder = join(root, 'test/dist/snippets', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), code);
  return folder;
}

/** Runs code in a working directory of its own. */
async function run(name: string, code: string, options: Options = {}): Promise<Ended & { outputDir: string }> {
  const cwd = directory();
  const ended = await node([join(program(name, 'main.mjs', code), 'main.mjs')], {
    ...options,
    cwd,
    env: { OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', OTEL_SERVICE_NAME: 'docs', ...options.env },
  });
  return { ...ended, outputDir: join(cwd, 'telemetry') };
}

const SPAN = `
import { trace } from '@opentelemetry/api';
trace.getTracer('docs').startSpan('hello', { attributes: { 'http.route': '/' } }).end();`;
const COUNT = "meters.getMeter('docs').createCounter('hello').add(2); await meters.forceFlush();";
const FLUSH = 'await trace.getTracerProvider().getDelegate().forceFlush();';

describe('processors and readers', () => {
  const hello = { name: 'hello', attributes: { 'http.route': '/' } };
  const said = { body: 'hello', scope_name: 'docs' };
  const cases: [string, string, 'traces' | 'metrics' | 'logs', Row][] = [
    ['batch-spans', `${SPAN}\n${FLUSH}`, 'traces', hello],
    ['simple-spans', SPAN, 'traces', hello],
    ['batch-logs', "loggers.getLogger('docs').emit({ body: 'hello' }); await loggers.forceFlush();", 'logs', said],
    ['simple-logs', "loggers.getLogger('docs').emit({ body: 'hello' });", 'logs', said],
    ['metrics', COUNT, 'metrics', { metric_name: 'hello', value: 2 }],
  ];
  test.each(cases)('%s', async (name, use, signal, expected) => {
    const ended = await run(name, `${snippet('open')}\n${snippet(name)}\n${use}\nprocess.exit(0);`);
    expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: '' });
    const [row, ...more] = await readDirectory(ended.outputDir, signal);
    expect(more).toEqual([]);
    expect(row).toMatchObject(expected);
  });

  test('node-sdk', async () => {
    const use = `
import { metrics as api } from '@opentelemetry/api';
import { logs as logApi } from '@opentelemetry/api-logs';
api.getMeter('docs').createCounter('visits').add(1);
logApi.getLogger('docs').emit({ body: 'said' });
${FLUSH}
await reader.forceFlush();
await processor.forceFlush();
process.exit(0);`;
    const parts = [...['metrics', 'batch-logs'].map(made => withoutProvider(snippet(made))), snippet('node-sdk')];
    const ended = await run('node-sdk', `${snippet('open')}\n${parts.join('\n')}\n${SPAN}\n${use}`);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect((await readDirectory(ended.outputDir, 'traces'))[0]).toMatchObject({ ...hello, service_name: 'docs' });
    expect((await readDirectory(ended.outputDir, 'logs'))[0]).toMatchObject({ body: 'said' });
    expect((await readDirectory(ended.outputDir, 'metrics')).map(row => row.metric_name)).toContain('visits');
  });
});

test('register', async () => {
  const [, variables, args] = /^((?:\w+=\S+ )*)node (.+)\n$/.exec(snippet('register'))!;
  const env = Object.fromEntries(
    variables!
      .trim()
      .split(' ')
      .map(pair => pair.split('=') as [string, string]),
  );
  const app = `
import express from 'express';
const app = express();
app.get('/orders/:id', (request, response) => response.send(request.params.id));
const server = app.listen(0, '127.0.0.1', async () => {
  console.log(await (await fetch('http://127.0.0.1:' + server.address().port + '/orders/7')).text());
  server.close();
});`;
  const cwd = program('register', 'app.js', app);
  const ended = await node(args!.split(' '), { cwd, env: { OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', ...env } });
  expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: '7\n', stderr: '' });
  const spans = await readDirectory(join(cwd, 'telemetry'), 'traces');
  const server = spans.find(({ kind }) => kind === 'server')!;
  expect(server.attributes['http.route']).toBe('/orders/:id');
  const handler = spans.find(({ attributes }) => attributes['express.type'] === 'request_handler')!;
  expect(handler.trace_id).toBe(server.trace_id);
});

test('cluster', async () => {
  const head = `
import { OtlpLibrary } from 'otlp-arrow';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
const work = async library => {
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(library.spanExporter())] });
  provider.getTracer('docs').startSpan('by ' + process.pid).end();
  await provider.forceFlush();
  process.disconnect();
};`;
  const ended = await run('cluster', `${head}\n${snippet('cluster')}`);
  expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: '' });
  expect(new Set((await readDirectory(ended.outputDir, 'traces')).map(({ name }) => name)).size).toBe(3);
});

describe('a destination', () => {
  test('beside', async () => {
    const other = await open({ listen: { http: '127.0.0.1:0' } });
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${other.addresses().http}` };
    const code = `${snippet('open')}\n${snippet('beside')}\n${SPAN}\n${FLUSH}\nprocess.exit(0);`;
    const ended = await run('beside', code, { env });
    expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: '' });
    const [ours] = await readDirectory(ended.outputDir, 'traces');
    const [theirs] = rows(await other.read('traces'));
    expect(ours).toMatchObject({ name: 'hello' });
    expect(theirs).toMatchObject({ name: 'hello', span_id: ours!.span_id });
  });

  test('forward', async () => {
    const other = await open({ listen: { http: '127.0.0.1:0' } });
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${other.addresses().http}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    };
    const code = `${snippet('forward')}\n${snippet('simple-spans')}\n${SPAN}\nsetInterval(() => {}, 1000);`;
    let started: ChildProcess | undefined;
    const ended = run('forward', code, {
      env,
      onSpawn: child => {
        started = child;
      },
    });
    await vi.waitFor(() => expect(other.stats().acceptedRecords.traces).toBe(1), { timeout: 20_000 });
    started!.kill('SIGKILL');
    await ended;
    expect(rows(await other.read('traces'))[0]).toMatchObject({ name: 'hello' });
  });
});

test('grpc', async () => {
  const use = `
import { ServerCredentials } from '@grpc/grpc-js';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
const port = await new Promise((resolve, reject) => server.bindAsync(
  '127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))));
const exporter = new OTLPTraceExporter({ url: 'http://127.0.0.1:' + port });
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
${SPAN}
${FLUSH}
process.exit(0);`;
  const ended = await run('grpc', `${snippet('open')}\n${snippet('grpc')}\n${use}`);
  expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: '' });
  expect((await readDirectory(ended.outputDir, 'traces'))[0]).toMatchObject({ name: 'hello' });
});

test('subscribe', async () => {
  const head = `
const send = async batch => {
  for (const row of batch) console.log(row.name, row.attributes['http.route']);
  setTimeout(() => library.shutdown(), 0);
};`;
  const code = `${snippet('open')}\n${snippet('simple-spans')}\n${SPAN}\n${FLUSH}\n${head}\n${snippet('subscribe')}`;
  const ended = await run('subscribe', code);
  expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: 'hello /\n', stderr: '' });
});

test('append', async () => {
  const head = `const other = await OtlpLibrary.open({ outputDir: './old' });`;
  const make = `${SPAN}\n${FLUSH}`.replaceAll('library', 'other');
  const spans = snippet('simple-spans').replace('library.', 'other.');
  const code = `${snippet('open')}\n${head}\n${spans}\n${make}\n${snippet('append')}\nprocess.exit(0);`;
  const ended = await run('append', code);
  expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: '' });
  expect((await readDirectory(ended.outputDir, 'traces'))[0]).toMatchObject({ name: 'hello' });
});

test('every snippet is tried, and has fewer than five lines', () => {
  const names = [...all.keys()];
  expect(names.filter(name => name.startsWith('node/')).toSorted()).toEqual([...tried].toSorted());
  expect(read(INTEGRATIONS).match(/^```\w+$/gm)).toHaveLength(names.length);
  expect(names.filter(name => !/^(node3?|bundle|python|rust)\//.test(name))).toEqual([]);
  for (const [name, code] of all) {
    const lines = code.split('\n').filter(line => line.trim() !== '');
    expect(lines.length, name).toBeLessThan(5);
  }
});

describe('what documents refer to is there', () => {
  test.each(documents())('%s: links', document => {
    const prose = read(document).replaceAll(/```[\s\S]*?```/g, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path, fragment] = target!.split('#') as [string, string?];
      const file = path === '' ? document : join(dirname(document), path);
      expect(existsSync(join(root, file)), `${target} in ${document}`).toBe(true);
      if (fragment && file.endsWith('.md')) expect(anchors(file), `${target} in ${document}`).toContain(fragment);
    }
  });

  test.each(documents())('%s: npm scripts', document => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const [, name] of read(document).matchAll(/npm run ([\w:]+)/g)) expect(scripts).toHaveProperty([name!]);
  });

  /** The anchors GitHub gives to the headings of a document. */
  function anchors(document: string): string[] {
    return [...read(document).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    );
  }
});

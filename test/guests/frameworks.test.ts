/**
 * Frameworks that deploy a server: built by the real one, moved to another folder, started there, asked, and what they
 * recorded is read. They take minutes: `npm run test:long -- guests`.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import { read, snippets } from '../node/markdown.js';
import { directory, leaveOut, readDirectory } from '../node/support.js';
import { away, bin, hidden, type Place, place } from '../package/packed.js';

const said = snippets('docs/integrations.md');
const BUILD_MS = 600_000;
const START_MS = 60_000;
const CLEAN_MS = 180_000;

/** What is asked for, and how the server answered. */
interface Served {
  readonly answers: readonly { readonly status: number; readonly text: string }[];
  readonly stderr: string;
  readonly spans: readonly string[];
}

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return String(port);
}

/** Starts a server in its folder, asks it, and ends it as a platform does. */
async function serve(folder: string, file: string, paths: readonly string[]): Promise<Served> {
  const [port, outputDir] = [await freePort(), directory()];
  const origin = `http://127.0.0.1:${port}`;
  const where = { PORT: port, HOST: '127.0.0.1', HOSTNAME: '127.0.0.1', NITRO_HOST: '127.0.0.1', ORIGIN: origin };
  const recorder = { OTLP_ARROW_OUTPUT_DIR: outputDir, OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B' };
  const sdk = { OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', NODE_OPTIONS: '', NODE_ENV: 'production' };
  const env = { ...process.env, ...where, ...recorder, ...sdk };
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
  }
  const ended = new Promise(resolve => child.once('close', resolve));
  const answers: { status: number; text: string }[] = [];
  for (const path of paths) {
    const answer = await until(`${origin}${path}`, () => child.exitCode !== null);
    if (!answer) break;
    answers.push({ status: answer.status, text: await answer.text() });
  }
  child.kill('SIGTERM');
  await ended;
  return { answers, stderr, spans: (await readDirectory(outputDir, 'traces')).map(row => String(row.name)) };
}

/** The first answer of a server that is about to listen. */
async function until(url: string, isOver: () => boolean): Promise<Response | undefined> {
  for (const started = Date.now(); Date.now() - started < START_MS && !isOver(); await after(100)) {
    try {
      return await fetch(url);
    } catch {
      // Not yet.
    }
  }
  return undefined;
}

async function project(
  context: TestContext,
  packages: readonly string[],
  files: Readonly<Record<string, string>>,
): Promise<Place> {
  const made = await place(packages);
  if (typeof made === 'string') leaveOut(context, made);
  const tools = made as Place;
  // Tens of thousands of files.
  onTestFinished(() => tools.remove(), CLEAN_MS);
  for (const [name, text] of Object.entries(files)) write(tools.folder, name, text);
  return tools;
}

function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** Records one span each time it is called. */
const RECORD = `
import { OtlpLibrary } from 'otlp-arrow';
const opening = OtlpLibrary.open();
export async function record(name) {
  const library = await opening;
  await library.exportTraces([{
    name, kind: 1, spanContext: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
    startTime: [1, 2], endTime: [3, 4], status: { code: 0 }, attributes: {}, links: [], events: [],
    resource: { attributes: {} }, instrumentationScope: { name: 's' },
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  }]);
  return (await library.read('traces')).numRows;
}
`;

const PAGE = (name: string) => `
import { SIGNALS } from 'otlp-arrow';
export const dynamic = 'force-dynamic';
${name === 'page' ? 'export default function Page() { return <p>{SIGNALS.join()}</p>; }' : 'export function GET() { return Response.json(SIGNALS); }'}
`;
const LEGACY = `
import { SIGNALS } from 'otlp-arrow';
export function getServerSideProps() { return { props: { signals: SIGNALS.join() } }; }
export default function Legacy({ signals }: { signals: string }) { return <p>{signals}</p>; }
`;
const TELEMETRY = `
import { NodeSDK } from '@opentelemetry/sdk-node';
import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { OtlpLibrary } from 'otlp-arrow';
const library = await OtlpLibrary.open();
new NodeSDK({ spanProcessors: [new SimpleSpanProcessor(library.spanExporter())] }).start();
`;
const LAYOUT = `
import type { ReactNode } from 'react';
export default function Layout({ children }: { children: ReactNode }) {
  return <html><body>{children}</body></html>;
}
`;
const NEXT = {
  packages: [
    'next@16',
    'react@19',
    'react-dom@19',
    'typescript@5',
    '@types/react@19',
    '@types/node@20',
    '@opentelemetry/api@1.9.1',
    '@opentelemetry/sdk-node@0.223.0',
    '@opentelemetry/sdk-trace-node@2.12.0',
  ],
  files: {
    'instrumentation.ts': said.get('bundle/next-instrumentation') ?? '',
    'telemetry.ts': TELEMETRY,
    'app/layout.tsx': LAYOUT,
    'app/page.tsx': PAGE('page'),
    'app/api/signals/route.ts': PAGE('route'),
    'pages/legacy.tsx': LEGACY,
  },
};
const INSIDE = "export default { output: 'standalone' };";
const LEFT_OUT = said.get('bundle/next') ?? '';

interface Framework {
  readonly name: string;
  readonly packages: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly build: readonly [name: string, program: string, ...args: string[]];
  /** What is moved elsewhere, and started there. */
  readonly output: string;
  readonly start: string;
  readonly paths: readonly string[];
  /** Packages that stand beside the output, as its adapter says. */
  readonly beside?: true;
  /** What the error says where it cannot work. */
  readonly refused?: string;
}

const next = (name: string, config: string, args: readonly string[]): Framework => ({
  name: `Next.js, ${name}`,
  packages: NEXT.packages,
  files: { ...NEXT.files, 'next.config.mjs': config },
  build: ['next', 'next', 'build', ...args],
  output: '.next/standalone',
  start: 'server.js',
  paths: ['/', '/api/signals', '/legacy'],
});

const { 'pages/legacy.tsx': _, ...appRouter } = NEXT.files;
const APP_ROUTER_ONLY: Framework = {
  ...next('webpack, app router alone, without a setting', INSIDE, ['--webpack']),
  files: { ...appRouter, 'next.config.mjs': INSIDE },
  paths: ['/', '/api/signals'],
  refused: "Next.js: serverExternalPackages: ['otlp-arrow'] in next.config",
};

const svelte = (name: string, kind: 'dependencies' | 'devDependencies', more: object): Framework => ({
  name: `SvelteKit, adapter-node, ${name}`,
  packages: ['@sveltejs/kit@2', '@sveltejs/adapter-node@5', 'svelte@5', 'vite@7', '@sveltejs/vite-plugin-svelte@6'],
  files: {
    'package.json': JSON.stringify({ private: true, type: 'module', [kind]: { 'otlp-arrow': '*' } }),
    'src/lib/record.js': RECORD,
    'src/app.html': '<!doctype html><html><head>%sveltekit.head%</head><body>%sveltekit.body%</body></html>',
    'src/routes/+server.js': `import { record } from '$lib/record.js';
export async function GET() { return new Response(String(await record('GET /'))); }`,
    'svelte.config.js': `import adapter from '@sveltejs/adapter-node';
export default { kit: { adapter: adapter() } };`,
    'vite.config.js': `import { sveltekit } from '@sveltejs/kit/vite';
export default { plugins: [sveltekit()] };`,
  },
  build: ['vite', 'vite', 'build'],
  output: 'build',
  start: 'index.js',
  paths: ['/'],
  ...more,
});

const FRAMEWORKS: readonly Framework[] = [
  next('Turbopack, as the documents say', LEFT_OUT, []),
  next('Turbopack, without a setting', INSIDE, []),
  next('webpack, as the documents say', LEFT_OUT, ['--webpack']),
  // What a page of the pages router needs is left out by Next.js itself, and copied: the bundle of the rest finds it there.
  next('webpack, without a setting', INSIDE, ['--webpack']),
  APP_ROUTER_ONLY,
  {
    name: 'Nitro 2',
    packages: ['nitropack@2'],
    files: {
      'lib/record.js': RECORD,
      'routes/index.js': `import { record } from '../lib/record.js';
export default defineEventHandler(async () => record('GET /'));`,
      'nitro.config.mjs': "export default defineNitroConfig({ compatibilityDate: '2025-07-01' });",
    },
    build: ['nitropack', 'nitropack', 'build'],
    output: '.output',
    start: 'server/index.mjs',
    paths: ['/'],
  },
  {
    name: 'Nitro 3',
    packages: ['nitro@3'],
    files: {
      'lib/record.js': RECORD,
      'routes/index.ts': `import { defineEventHandler } from 'nitro/deps/h3';
import { record } from '../lib/record.js';
export default defineEventHandler(async () => record('GET /'));`,
      'nitro.config.mjs': 'export default {};',
    },
    build: ['nitro', 'nitro', 'build'],
    output: '.output',
    start: 'server/index.mjs',
    paths: ['/'],
  },
  {
    name: 'Nuxt 4',
    packages: ['nuxt@4'],
    files: {
      'lib/record.js': RECORD,
      'server/api/one.ts': `import { record } from '../../lib/record.js';
export default defineEventHandler(async () => record('GET /'));`,
      'app/app.vue': '<template><p>one</p></template>',
      'nuxt.config.ts': "export default defineNuxtConfig({ compatibilityDate: '2025-07-01', telemetry: false });",
    },
    build: ['nuxt', 'nuxt', 'build'],
    output: '.output',
    start: 'server/index.mjs',
    paths: ['/api/one'],
  },
  svelte('in dependencies', 'dependencies', { beside: true }),
  svelte('in devDependencies', 'devDependencies', {
    refused: 'SvelteKit: otlp-arrow in dependencies, not in devDependencies',
  }),
];

const long = process.env.GUESTS === 'all' ? FRAMEWORKS : [];

// A suite may not be empty.
(long.length > 0 ? describe : undefined)?.('built, moved, started and asked', () => {
  test.for(long)('$name', { timeout: BUILD_MS }, async (framework, context) => {
    const { packages, files, build, output, start, paths, beside, refused } = framework;
    const tools = await project(context, packages, files);
    const [name, program, ...args] = build;
    await tools.node(bin(tools, name, program), args, { NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1' });
    const moved = away(join(tools.folder, output));
    onTestFinished(() => rmSync(moved, { recursive: true, force: true }));
    cpSync(join(tools.folder, 'package.json'), join(moved, 'package.json'), { force: false });
    const work = () => serve(moved, start, paths);
    if (beside) symlinkSync(join(tools.folder, 'node_modules'), join(moved, 'node_modules'), 'junction');
    const { answers, stderr, spans } = beside ? await work() : await hidden(tools, work);
    if (refused) {
      expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 500));
      expect(stderr).toContain(refused);
      return;
    }
    expect(
      answers.map(({ status }) => status),
      stderr,
    ).toEqual(paths.map(() => 200));
    if (build[0] === 'next') {
      for (const { text } of answers) expect(text.replaceAll(/["[\]]/g, '')).toContain('traces,metrics,logs');
      for (const path of paths) expect(spans).toContain(`GET ${path}`);
    } else {
      expect(spans).toEqual(['GET /']);
    }
    expect(stderr).not.toContain('OTLP_ARROW_COPIES');
  });
});

test('docs/integrations.md has a line for each', () => {
  for (const snippet of [LEFT_OUT, NEXT.files['instrumentation.ts']]) expect(snippet).not.toBe('');
  const text = read('docs/integrations.md');
  for (const name of FRAMEWORKS.map(({ name }) => name.split(/[ ,]/)[0]!)) expect(text).toContain(name);
});

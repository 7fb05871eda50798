/** The packed packages, installed without a network in an empty directory: the main job from both kinds of module. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blocks } from '../node/markdown.js';
import { manifest, packageName, platform } from '../scripts/platforms.js';
import { tarballs } from './packed.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'otlp-arrow-npm-'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const windows = process.platform === 'win32';

async function execute(
  command: string,
  args: readonly string[],
  cwd = home,
  env: Readonly<Record<string, string>> = {},
): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(command, args, {
    cwd,
    shell: windows && command === 'npm',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
}

/** The folders of a package and everything it depends on, as npm laid them out here. */
function closure(name: string, from: string, found = new Map<string, string>()): Map<string, string> {
  const folders = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  const folder = folders.map(place => join(place, name)).find(place => existsSync(join(place, 'package.json')));
  if (!folder || found.has(name)) return found;
  found.set(name, folder);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies?: object;
  };
  for (const dependency of Object.keys(dependencies)) closure(dependency, folder, found);
  return found;
}

beforeAll(async () => {
  const own = await tarballs();
  const arrow = join(home, 'tarballs');
  mkdirSync(arrow);
  await execute(
    'npm',
    ['pack', '--ignore-scripts', '--pack-destination', arrow, ...closure('apache-arrow', root).values()],
    root,
  );
  writeFileSync(join(home, 'package.json'), '{"private":true}');
  const others = readdirSync(arrow).map(name => join(arrow, name));
  await execute('npm', ['install', '--offline', '--no-audit', '--no-fund', ...own, ...others]);
}, 120_000);

afterAll(() => rmSync(home, { recursive: true, force: true }));

const job = (head: string, outputDir: string) => `${head}
(async () => {
  const library = await OtlpLibrary.open({ outputDir: '${outputDir}', storage: { minFreeBytes: '0B' } });
  const span = {
    name: 'first', kind: 1, spanContext: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
    startTime: [1, 2], endTime: [3, 4], status: { code: 0 }, attributes: { 'http.route': '/' }, links: [], events: [],
    resource: { attributes: { 'service.name': 'shop' } }, instrumentationScope: { name: 's' },
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  };
  await new Promise((resolve, reject) =>
    library.spanExporter().export([span], ({ code, error }) => (code === 0 ? resolve() : reject(error))));
  const table = await library.read('traces');
  console.log(table.numRows, table.get(0).attributes['http.route'], table.get(0).service_name);
  await library.shutdown();
})();`;

test.each([
  ['mjs', "import { OtlpLibrary } from 'otlp-arrow';"],
  ['cjs', "const { OtlpLibrary } = require('otlp-arrow');"],
])('the main job from a .%s file', async (extension, head) => {
  const file = join(home, `main.${extension}`);
  writeFileSync(file, job(head, `out-${extension}`));
  expect((await execute(process.execPath, [file])).stdout).toBe('1 / shop\n');
  expect(readdirSync(join(home, `out-${extension}`, 'otlp/traces')).every(name => name.endsWith('.arrow'))).toBe(true);
});

test.each([
  [
    'mjs',
    "import { readdirSync, readFileSync } from 'node:fs';\nimport * as arrow from 'apache-arrow';\nimport 'otlp-arrow/arrow';",
  ],
  [
    'cjs',
    "const { readdirSync, readFileSync } = require('node:fs');\nconst arrow = require('apache-arrow');\nrequire('otlp-arrow/arrow');",
  ],
])('tables are of the classes of a program in .%s, both ways, and sealed files open', async (extension, head) => {
  const program = `${head}
(async () => {
  const { decode, encode, OtlpLibrary } = await import('otlp-arrow');
  const request = readFileSync(${JSON.stringify(join(root, 'test/fixtures/traces-official.request.binpb'))});
  const library = await OtlpLibrary.open({ outputDir: 'classes-${extension}', storage: { minFreeBytes: '0B' } });
  await library.exportOtlp('traces', request);
  const tables = [await library.read('traces'), (await decode('traces', request)).table];
  for await (const batch of library.read('traces')) tables.push(new arrow.Table(batch));
  for await (const batch of await library.subscribe('traces', 'classes')) {
    tables.push(new arrow.Table(batch));
    break;
  }
  await library.shutdown();
  const folder = 'classes-${extension}/otlp/traces/';
  tables.push(arrow.tableFromIPC(readFileSync(folder + readdirSync(folder).find(name => name.endsWith('.arrow')))));
  for (const table of tables) {
    const again = arrow.tableFromIPC(arrow.tableToIPC(table));
    const encoded = await encode('traces', table);
    console.log(table.constructor === arrow.Table, again.get(0).name, (await decode('traces', encoded)).table.numRows);
  }
})();`;
  const file = join(home, `classes.${extension}`);
  writeFileSync(file, program);
  expect((await execute(process.execPath, [file])).stdout).toBe('true GET /orders/{id} 1\n'.repeat(5));
});

test('the first screen of the README records and reads', async () => {
  const [record, read] = blocks('Node.js', 'ts');
  expect(record!.split('\n').filter(line => line.trim() !== '').length).toBeLessThanOrEqual(5);
  // The packed package, beside the SDK of the development environment.
  const folder = join(home, 'readme');
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  const sdk = join(root, 'node_modules/@opentelemetry');
  symlinkSync(sdk, join(folder, 'node_modules/@opentelemetry'), 'junction');
  const program = `
import { trace } from '@opentelemetry/api';
${record}
trace.getTracer('readme').startSpan('hello', { attributes: { 'http.route': '/' } }).end();
await trace.getTracerProvider().getDelegate().forceFlush();
${read}
console.log(spans.numRows, spans.get(0).name, spans.get(0).attributes['http.route'], import.meta.resolve('otlp-arrow'));
process.exit(0);`;
  writeFileSync(join(folder, 'app.mjs'), program);
  const env = { OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' };
  const { stdout } = await execute(process.execPath, ['app.mjs'], folder, env);
  const installed = pathToFileURL(realpathSync(join(home, 'node_modules/otlp-arrow'))).href;
  expect(stdout).toMatch(/^1 hello \/ /);
  expect(stdout).toContain(`${installed}/`);
});

test('every entry loads, and the types are there', async () => {
  const installed = join(home, 'node_modules/otlp-arrow');
  const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    exports: Record<string, { types?: string }>;
  };
  for (const { types } of Object.values(exports))
    if (types) expect(existsSync(join(installed, types)), types).toBe(true);
  const { stdout } = await execute(process.execPath, [
    '--input-type=module',
    '-e',
    "await import('otlp-arrow/arrow'); console.log('ok')",
  ]);
  expect(stdout).toBe('ok\n');
  expect(readdirSync(join(installed, 'ts/native')).toSorted()).toEqual([
    'addon-bun.cjs',
    'addon-webpack.cjs',
    'addon.cjs',
    'binding.d.cts',
  ]);
});

test('the entries are declared for a TypeScript that knows no exports as well', () => {
  const installed = join(home, 'node_modules/otlp-arrow');
  const { types, main, typesVersions, exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect([types, main]).toEqual([exports['.'].types, exports['.'].default]);
  for (const [name, [file]] of Object.entries<string[]>(typesVersions['*']))
    expect(file).toBe(exports[`./${name}`].types);
});

test.each(['addon.cjs', 'addon-bun.cjs'])(
  'each platform there is a package for is written out in %s, for tools that read it',
  file => {
    const code = readFileSync(join(root, 'ts/native', file), 'utf8');
    const named = [...code.matchAll(/\('(@otlp-arrow\/node-[\w-]+)/g)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(manifest.napi.targets.map(triple => packageName(platform(triple))).toSorted());
  },
);

test('the command is there', async () => {
  const bin = join(home, 'node_modules/.bin', windows ? 'otlp-arrow.cmd' : 'otlp-arrow');
  const { stdout } = await promisify(execFile)(bin, ['--version'], { cwd: home, shell: windows });
  expect(stdout.trim()).toBe(`otlp-arrow ${version}`);
});

test('an agent starts the tools with npx, as docs/agents.md says', async () => {
  const { Client } = await import('@modelcontextprotocol/client');
  const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio');
  const client = new Client({ name: 'test', version: '1' });
  const args = ['--no-install', 'otlp-arrow', 'mcp', './out-mjs'];
  await client.connect(new StdioClientTransport({ command: windows ? 'npx.cmd' : 'npx', args, cwd: home }));
  const answer = await client.callTool({ name: 'search_traces', arguments: {} });
  await client.close();
  expect(JSON.stringify(answer.content)).toContain('first  shop');
});

test('register says what to install where there is no SDK, and the program runs on', async () => {
  writeFileSync(join(home, 'app.mjs'), "console.log('runs')");
  const { stdout, stderr } = await execute(process.execPath, ['--import', 'otlp-arrow/register', 'app.mjs']);
  expect(stdout).toBe('runs\n');
  expect(stderr).toContain('npm install @opentelemetry/sdk-node');
});

test('the root package is small', () => {
  expect(statSync(join(root, 'dist', `otlp-arrow-${version}.tgz`)).size).toBeLessThan(200_000);
});

test('an addon that is there and is not loaded: the error says why, and not to install it', async () => {
  const load = ['--input-type=module', '-e', "await import('otlp-arrow')"];
  const failure = async (flags: string[], env = {}) => {
    const failed = execute(process.execPath, [...flags, ...load], home, env);
    const { stderr } = (await failed.catch((error: unknown) => error)) as { stderr: string };
    return stderr.slice(stderr.indexOf('Error: otlp-arrow:'), stderr.indexOf('[cause]'));
  };
  const disabled = await failure(['--no-addons']);
  expect(disabled).toContain('loading addons is disabled');
  expect(disabled).toContain('--allow-addons');
  expect(disabled).not.toContain('npm install');
  const [name] = readdirSync(join(home, 'node_modules/@otlp-arrow'));
  const folder = join(home, 'node_modules/@otlp-arrow', name!);
  const addon = join(folder, readdirSync(folder).find(file => file.endsWith('.node'))!);
  renameSync(addon, `${addon}.away`);
  writeFileSync(addon, 'damaged');
  const damaged = await failure([]);
  rmSync(addon);
  renameSync(`${addon}.away`, addon);
  expect(damaged).toMatch(/could not be loaded: .+/);
  expect(damaged).toContain('does not fit this system, or is damaged');
  expect(damaged).not.toContain('npm install');
});

test('without the package of the platform, the error names platform, libc, package and how to build', async () => {
  const platforms = join(home, 'node_modules/@otlp-arrow');
  const [name] = readdirSync(platforms).filter(folder => folder.startsWith('node-'));
  rmSync(join(platforms, name!), { recursive: true });
  const failed = execute(process.execPath, ['--input-type=module', '-e', "await import('otlp-arrow')"]);
  const { stderr } = (await failed.catch((error: unknown) => error)) as { stderr: string };
  for (const word of [process.platform, process.arch, `npm install @otlp-arrow/${name}`, 'npm run build'])
    expect(stderr).toContain(word);
  if (process.platform === 'linux') expect(stderr).toMatch(/\((gnu|musl)\)/);
});

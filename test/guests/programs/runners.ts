/** What runs the program or its tests. */
import type { Program } from './table.js';

/** A program that asks itself, for tests of tests. */
const ASKS = `const http = require('node:http');
  exports.ask = () => new Promise((resolve, reject) => {
    const server = http.createServer((q, r) => r.end('ok ' + q.url)).listen(0, '127.0.0.1', () => {
      http.get({ host: '127.0.0.1', port: server.address().port, path: '/x' }, response => {
        let text = ''; response.on('data', part => { text += part; });
        response.on('end', () => { server.close(); resolve(text); });
      }).on('error', reject);
    });
  });`;
const HTTP = '@opentelemetry/instrumentation-http';
/** Numbers that are of the machine. */
const TOOK = [[/(?:Time|Duration|Start at).*/g, '']] as const;

const TYPED = `import { createServer } from 'node:http';
  interface Item { readonly id: number }
  const item: Item = { id: 7 };
  enum Kind { A = 'a' }
  const server = createServer((_, response) => response.end(JSON.stringify(item)));
  server.listen(0, '127.0.0.1', async () => {
    const { port } = server.address() as { port: number };
    console.log(await (await fetch('http://127.0.0.1:' + port)).text(), Kind.A);
    server.close(); server.closeAllConnections(); process.exitCode = 5;
  });`;

export const RUNNERS: readonly Program[] = [
  {
    name: 'jest',
    long: true,
    packages: ['jest@30'],
    files: {
      'package.json': '{"private":true}',
      'ask.js': ASKS,
      'one.test.js': `const { ask } = require('./ask'); test('asks', async () => { expect(await ask()).toBe('ok /x'); }); test.skip('later', () => {});`,
      'two.test.js': `jest.mock('./ask', () => ({ ask: () => 'mocked' })); test('mocks', () => expect(require('./ask').ask()).toBe('mocked'));`,
      'three.test.js': `test('fails', () => { expect(1).toBe(2); });`,
    },
    args: ['bin:jest', '--ci', '--no-cache', '--workerThreads=false', '--maxWorkers=2'],
    through: 'options',
    scopes: [],
    steady: TOOK,
    unordered: true,
  },
  {
    name: 'vitest',
    packages: ['vitest@4.1.12', 'vite@8.3.8'],
    files: {
      'package.json': '{"private":true,"type":"module"}',
      'ask.cjs': ASKS,
      'one.test.js': `import { expect, test, vi } from 'vitest'; import asks from './ask.cjs';
        test('asks', async () => { expect(await asks.ask()).toBe('ok /x'); });
        test('times', () => { vi.useFakeTimers(); const seen = vi.fn(); setTimeout(seen, 60_000); vi.advanceTimersByTime(60_000); expect(seen).toHaveBeenCalledOnce(); vi.useRealTimers(); });`,
      'two.test.js': `import { expect, test } from 'vitest'; test('fails', () => expect(1).toBe(2));`,
    },
    args: ['bin:vitest', 'run', '--pool=forks', '--no-color'],
    through: 'options',
    scopes: [HTTP],
    least: 2,
    steady: TOOK,
    unordered: true,
  },
  {
    name: 'vitest in threads',
    packages: ['vitest@4.1.12', 'vite@8.3.8'],
    files: {
      'package.json': '{"private":true,"type":"module"}',
      'ask.cjs': ASKS,
      'one.test.js': `import { expect, test } from 'vitest'; import asks from './ask.cjs';
        test('asks', async () => { expect(await asks.ask()).toBe('ok /x'); });`,
    },
    args: ['bin:vitest', 'run', '--pool=threads', '--no-color'],
    through: 'options',
    scopes: [HTTP],
    least: 2,
    steady: TOOK,
    unordered: true,
  },
  {
    name: 'mocha',
    packages: ['mocha@11'],
    files: {
      'ask.cjs': ASKS,
      'test/one.cjs': `const assert = require('node:assert'); const { ask } = require('../ask.cjs');
        describe('it', () => { it('asks', async () => assert.equal(await ask(), 'ok /x')); it('fails', () => assert.equal(1, 2)); it('later'); });`,
    },
    args: ['bin:mocha', 'test/*.cjs'],
    scopes: [HTTP],
    least: 2,
    steady: [
      // It says how long a test took if that is long.
      [/ \(<duration>\)/g, ''],
      [/^.*\(node:internal.*$/gm, ''],
    ],
  },
  {
    name: 'the test runner of Node.js',
    packages: [],
    files: {
      'ask.cjs': ASKS,
      'one.test.cjs': `const test = require('node:test'); const assert = require('node:assert'); const { ask } = require('./ask.cjs');
        test('asks', async () => assert.equal(await ask(), 'ok /x')); test('fails', () => assert.equal(1, 2));`,
    },
    args: ['--test', '--test-reporter=tap', 'one.test.cjs'],
    through: 'options',
    scopes: [HTTP],
    least: 2,
    steady: [
      [/duration_ms: .*|# duration_ms.*/g, ''],
      // Of Node.js itself.
      [/^\s+(?:at .*|async .*)$/gm, ''],
    ],
  },
  {
    name: 'tsx',
    packages: ['tsx@4', '@opentelemetry/instrumentation-undici@0.33'],
    files: { 'package.json': '{"private":true,"type":"module"}', 'app.ts': TYPED },
    args: ['bin:tsx', 'app.ts'],
    through: 'options',
    scopes: [HTTP, '@opentelemetry/instrumentation-undici'],
    least: 2,
  },
  {
    name: 'tsx as a loader',
    packages: ['tsx@4', '@opentelemetry/instrumentation-undici@0.33'],
    files: { 'package.json': '{"private":true,"type":"module"}', 'app.ts': TYPED },
    args: ['--import', 'tsx', 'app.ts'],
    scopes: [HTTP, '@opentelemetry/instrumentation-undici'],
    least: 2,
  },
  {
    name: 'ts-node',
    packages: ['ts-node@10', 'typescript@5.9', '@types/node@20'],
    files: {
      'package.json': '{"private":true}',
      'tsconfig.json': '{"compilerOptions":{"module":"commonjs","target":"es2022","strict":true,"types":["node"]}}',
      'app.ts': TYPED,
    },
    args: ['bin:ts-node', 'app.ts'],
    through: 'options',
    scopes: [HTTP],
  },
  {
    name: 'babel-node',
    long: true,
    packages: ['@babel/node@7', '@babel/core@7', '@babel/preset-env@7'],
    files: {
      'package.json': '{"private":true}',
      '.babelrc': '{"presets":[["@babel/preset-env",{"targets":{"node":"current"}}]]}',
      'app.js': `import { createServer } from 'node:http'; import { trace } from '@opentelemetry/api';
        trace.getTracer('app').startSpan('up').end(); console.log(typeof createServer, process.argv.length); process.exitCode = 4;`,
    },
    args: ['bin:babel-node', 'app.js'],
    through: 'options',
    scopes: ['app'],
  },
  {
    name: 'nodemon',
    packages: ['nodemon@3'],
    files: {
      'app.js': `import { createServer } from 'node:http';
        const server = createServer((q, r) => r.end('ok')).listen(0, '127.0.0.1', () => console.log('listening on ' + server.address().port));`,
    },
    args: ['bin:nodemon', '--watch', 'app.js', 'app.js'],
    through: 'options',
    drive: async session => {
      await session.get(await session.port(), '/first');
      session.type('rs\n');
      await session.get(await session.port(), '/second');
      session.kill('SIGINT');
    },
    scopes: [HTTP],
    least: 2,
  },
  {
    name: 'pm2-runtime',
    packages: ['pm2@7'],
    files: {
      'app.cjs': `const server = require('node:http').createServer((q, r) => r.end('ok ' + process.env.NODE_APP_INSTANCE)).listen(process.env.PORT, '127.0.0.1', () => console.log('listening on ' + process.env.PORT));
        process.on('SIGINT', () => { console.log('closing'); server.close(() => process.exit(0)); });`,
    },
    args: ['bin:pm2-runtime', 'start', 'app.cjs', '--raw'],
    through: 'options',
    env: { PM2_HOME: '<folder>/.pm2', PORT: '<port>' },
    drive: async session => {
      await session.get(await session.port(), '/first');
      session.kill('SIGINT');
    },
    scopes: [HTTP],
    // It looks every 100 ms whether its program has ended, and says how often in vain.
    steady: [[/^.*failed to kill - retrying.*$/gm, '']],
    unordered: true,
    cleanup: ['.pm2'],
  },
];

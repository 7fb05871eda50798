/** Tools of the command line: they make no telemetry, and are only to be as they were. */
import type { Program } from './table.js';

const SOURCE = `const a = {b:1};\nlet unused = 2\nexport default function f( x ){return a.b+x}\n`;

export const COMPILERS: readonly Program[] = [
  {
    name: 'eslint',
    packages: ['eslint@9'],
    files: {
      'eslint.config.mjs': `export default [{ files: ['*.js'], rules: { 'no-unused-vars': 'error', 'prefer-const': 'warn' } }];`,
      'source.js': SOURCE,
    },
    args: ['bin:eslint', 'source.js'],
    scopes: [],
  },
  {
    name: 'prettier',
    packages: ['prettier@3'],
    files: { 'source.js': SOURCE },
    args: ['bin:prettier', 'source.js'],
    scopes: [],
  },
  {
    name: 'prettier --check',
    packages: ['prettier@3'],
    files: { 'source.js': SOURCE },
    args: ['bin:prettier', '--check', 'source.js'],
    scopes: [],
  },
  {
    name: 'tsc',
    packages: ['typescript@5.9'],
    files: { 'source.ts': `export const n: number = 'x';\nexport const ok: string = 'y';\n` },
    args: ['bin:tsc', '--strict', '--outDir', 'out', 'source.ts'],
    scopes: [],
    cleanup: ['out'],
  },
  {
    name: 'webpack',
    long: true,
    packages: ['webpack@5', 'webpack-cli@6', 'babel-loader@10', '@babel/core@7'],
    files: {
      'source.js': SOURCE,
      'entry.js': `import f from './source.js'; console.log(f(1));`,
      'webpack.config.cjs': `module.exports = { mode: 'production', entry: './entry.js', target: 'node', output: { path: __dirname + '/out' },
        module: { rules: [{ test: /source/, use: 'babel-loader' }] } };`,
    },
    args: ['bin:webpack'],
    scopes: [],
    cleanup: ['out', 'node_modules/.cache'],
  },
  {
    name: 'rollup',
    packages: ['rollup@4', '@rollup/plugin-terser@1'],
    files: {
      'source.js': SOURCE,
      'entry.js': `import f from './source.js'; console.log(f(1));`,
      // The plugin makes a pool of worker threads.
      'rollup.config.mjs': `import terser from '@rollup/plugin-terser'; export default { input: 'entry.js', output: { format: 'es' }, plugins: [terser({ maxWorkers: 2 })] };`,
    },
    args: ['bin:rollup', '-c'],
    scopes: [],
  },
  {
    name: 'npm, scripts of workspaces',
    packages: ['npm@11'],
    files: {
      'package.json': JSON.stringify({ private: true, type: 'module', workspaces: ['a', 'b'] }),
      'a/package.json': JSON.stringify({ name: 'a', version: '1.0.0', type: 'module', scripts: { go: 'node go.js' } }),
      'b/package.json': JSON.stringify({ name: 'b', version: '1.0.0', type: 'module', scripts: { go: 'node go.js' } }),
      'a/go.js': `import { trace } from '@opentelemetry/api'; trace.getTracer('app').startSpan('a').end(); console.log('a', process.argv.length);`,
      'b/go.js': `import { trace } from '@opentelemetry/api'; trace.getTracer('app').startSpan('b').end(); console.log('b'); process.exit(7);`,
    },
    args: ['bin:npm', 'run', 'go', '--workspaces'],
    through: 'options',
    scopes: ['app'],
    least: 2,
    steady: [[/^npm error A complete log.*|^.*_logs.*$/gm, '']],
  },
  {
    name: 'npx',
    packages: ['npm@11', 'semver@7'],
    args: ['bin:npx', '--no-install', 'semver', '-r', '^1', '1.2.3', '2.0.0'],
    through: 'options',
    scopes: [],
  },
  {
    name: 'npm ls',
    packages: ['npm@11', 'semver@7'],
    args: ['bin:npm', 'ls', 'semver', '--json'],
    through: 'options',
    scopes: [],
  },
];

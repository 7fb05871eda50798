/** Programs of several processes and threads, native ones, and how people and containers start and end them. */
import { existsSync } from 'node:fs';
import type { Program } from './table.js';

const HTTP = '@opentelemetry/instrumentation-http';
const SPAN = `import { trace } from '@opentelemetry/api'; const span = name => trace.getTracer('app').startSpan(name).end();`;
/** Stays until somebody ends it. */
const STAYS = `${SPAN} span('up'); setInterval(() => {}, 1000); console.log('up');`;
const needs = (file: string) => () => (existsSync(file) ? undefined : `${file} is not here`);
/** Node.js with the preload, where another program starts it. */
const NODE = process.execPath;

export const PROCESSES: readonly Program[] = [
  {
    name: 'foreground-child, which is of signal-exit',
    packages: ['foreground-child@3', 'signal-exit@4'],
    files: {
      'child.mjs': `${SPAN} span('child'); process.on('SIGTERM', () => { console.log('child closes'); process.exit(6); }); setInterval(() => {}, 1000); console.log('up');`,
      'app.mjs': `import { foregroundChild } from 'foreground-child'; import { onExit } from 'signal-exit';
        onExit((code, signal) => console.log('cleanup', code, signal));
        foregroundChild(process.execPath, ['child.mjs'], { stdio: 'inherit' });`,
    },
    args: ['app.mjs'],
    through: 'options',
    drive: async session => {
      await session.until(/up/);
      session.kill('SIGTERM');
    },
    scopes: ['app'],
    unordered: true,
  },
  {
    name: 'a cluster',
    packages: [],
    files: {
      'app.mjs': `import cluster from 'node:cluster'; import { createServer } from 'node:http';
        if (cluster.isPrimary) {
          let up = 0; for (let n = 0; n < 2; n++) cluster.fork();
          cluster.on('listening', (_, { port }) => { if (++up === 2) console.log('listening on ' + port); });
          cluster.on('exit', (worker, code, signal) => console.log('worker', code, signal));
          process.on('SIGTERM', () => { for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM'); process.exitCode = 3; });
        } else createServer((q, r) => r.end('ok')).listen(0, '127.0.0.1');`,
    },
    args: ['app.mjs'],
    drive: async session => {
      const port = await session.port();
      for (let n = 0; n < 6; n++) await session.get(port, `/${n}`);
      session.kill('SIGTERM');
    },
    scopes: [HTTP],
    least: 6,
  },
  {
    name: 'piscina',
    packages: ['piscina@5'],
    files: {
      'worker.mjs': `${SPAN} export default n => { span('task'); if (n === 5) throw new Error('five'); return n * 2; };`,
      'app.mjs': `import { Piscina } from 'piscina';
        const pool = new Piscina({ filename: new URL('./worker.mjs', import.meta.url).href, maxThreads: 2 });
        const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => pool.run(n)));
        console.log(results.map(one => one.value ?? one.reason.message).join()); await pool.destroy(); process.exitCode = 2;`,
    },
    args: ['app.mjs'],
    scopes: ['app'],
    least: 20,
  },
  {
    name: 'native addons: sharp and @node-rs/crc32',
    packages: ['sharp@0.34', '@node-rs/crc32@1'],
    files: {
      'app.mjs': `${SPAN} import sharp from 'sharp'; import { crc32 } from '@node-rs/crc32';
        const raw = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#336699' } }).resize(8).raw().toBuffer();
        span('made'); console.log(raw.length, crc32(raw)); process.exit(4);`,
    },
    args: ['app.mjs'],
    scopes: ['app'],
  },
  {
    name: 'concurrently',
    packages: ['concurrently@9'],
    files: {
      'one.mjs': `${SPAN} import { existsSync } from 'node:fs'; span('one');
        setInterval(() => { if (existsSync('up')) { console.log('one'); process.exit(3); } }, 10);`,
      'two.mjs': `${STAYS} import { writeFileSync } from 'node:fs'; writeFileSync('up', '');`,
    },
    cleanup: ['up'],
    args: ['bin:concurrently', '--kill-others-on-fail', 'node two.mjs', 'node one.mjs'],
    through: 'options',
    scopes: ['app'],
    least: 2,
    unordered: true,
    // The shells between say of it what they please.
    steady: [[/^.*(?:Sending SIGTERM|exited with code|Terminated).*$/gm, '']],
  },
  {
    name: 'Ctrl-C in a terminal',
    packages: [],
    files: {
      'app.mjs': `${SPAN} span('up'); process.on('SIGINT', () => { console.log('closing'); setTimeout(() => process.exit(9), 50); }); console.log('up'); setInterval(() => {}, 1000);`,
    },
    command: '/usr/bin/script',
    args: ['-qec', `${NODE} app.mjs`, '/dev/null'],
    through: 'options',
    drive: async session => {
      await session.until(/up/);
      session.type('\u0003');
    },
    scopes: ['app'],
    missing: needs('/usr/bin/script'),
  },
  {
    name: 'Ctrl-C in a terminal, to whoever does not listen, in a pipe of a shell',
    packages: [],
    files: { 'app.mjs': STAYS },
    command: '/usr/bin/script',
    args: ['-qec', `sh -c '${NODE} app.mjs | cat; echo after'`, '/dev/null'],
    through: 'options',
    drive: async session => {
      await session.until(/up/);
      session.type('\u0003');
    },
    scopes: ['app'],
    missing: needs('/usr/bin/script'),
  },
  {
    name: 'a shell that is told to end, as supervisors do',
    packages: [],
    files: { 'app.mjs': STAYS },
    command: '/bin/sh',
    args: ['-c', `${NODE} app.mjs & child=$!; trap 'kill -TERM $child' TERM; wait $child; wait $child; echo ended $?`],
    through: 'options',
    drive: async session => {
      await session.until(/up/);
      session.kill('SIGTERM');
    },
    scopes: ['app'],
  },
  {
    name: 'the first process of a container',
    packages: [],
    files: {
      'app.mjs': `${SPAN} span('up'); process.on('SIGTERM', () => { console.log('closing', process.pid); process.exit(8); }); setInterval(() => {}, 1000); console.log('up', process.pid);
        process.kill(1, 'SIGHUP'); setTimeout(() => { console.log('hung up and alive'); process.kill(1, 'SIGTERM'); }, 100);`,
    },
    command: '/usr/bin/unshare',
    args: ['--user', '--map-root-user', '--pid', '--fork', '--kill-child', NODE, 'app.mjs'],
    through: 'options',
    scopes: ['app'],
    missing: needs('/usr/bin/unshare'),
  },
  {
    name: 'Bun',
    packages: ['bun@1.4'],
    files: {
      'app.mjs': `${SPAN} import { createServer } from 'node:http'; span('bun');
        const server = createServer((q, r) => r.end('ok')).listen(0, '127.0.0.1', async () => {
          console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text()); server.close(); process.exit(5); });`,
    },
    command: 'node_modules/@oven/bun-linux-x64/bin/bun',
    args: ['<preload>', 'app.mjs'],
    scopes: ['app'],
    says: /^what ECMAScript modules import is not instrumented.*Bun has no hooks/,
    missing: () => (process.arch === 'x64' && process.platform === 'linux' ? undefined : 'its program is of linux-x64'),
  },
  {
    name: 'Deno',
    packages: ['deno@2.9'],
    files: {
      'app.mjs': `${SPAN} import { createServer } from 'node:http'; import process from 'node:process'; span('deno');
        const server = createServer((q, r) => r.end('ok')).listen(0, '127.0.0.1', async () => {
          console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text()); server.close(); process.exit(5); });`,
    },
    command: 'node_modules/@deno/linux-x64-glibc/deno',
    args: ['run', '-A', '<preload file>', 'app.mjs'],
    scopes: ['app'],
    missing: () => (process.arch === 'x64' && process.platform === 'linux' ? undefined : 'its program is of linux-x64'),
  },
];

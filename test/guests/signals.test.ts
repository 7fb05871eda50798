/** A program dies exactly as it would without us, whatever other listeners do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directory, readDirectory } from '../node/support.js';
import { both, type Home, home, need, program, share } from './guests.js';

const PACKAGES = [
  'se3@npm:signal-exit@3.0.7',
  'se4@npm:signal-exit@4.1.0',
  'proper-lockfile@4',
  'write-file-atomic@4',
  'death@1',
  'node-cleanup@2',
  'async-exit-hook@2',
  'exit-hook@4',
  'close-with-grace@2',
];

let made: Home | string;
beforeAll(async () => {
  made = await home(PACKAGES);
}, 120_000);
afterAll(() => {
  if (typeof made !== 'string') made.remove();
}, 120_000);

const HEAD = `
import { createRequire } from 'node:module';
import { trace } from '@opentelemetry/api';
const require = createRequire(import.meta.url);
trace.getTracer('app').startSpan('held').end();
`;
/** The signal is sent when this is read. */
const UP = `setInterval(() => {}, 1000); console.log('up');`;

interface Case {
  readonly name: string;
  readonly program: string;
  /** Sent when the program is up. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Spans that end after the signal. */
  readonly later?: readonly string[];
}

const TERM = `process.kill(process.pid, 'SIGTERM');`;
const CASES: readonly Case[] = [
  { name: 'nobody listens', program: UP },
  { name: 'SIGHUP', program: UP, signals: ['SIGHUP'] },
  { name: 'SIGUSR2', program: UP, signals: ['SIGUSR2'] },
  { name: 'SIGQUIT', program: UP, signals: ['SIGQUIT'] },
  { name: 'signal-exit 3', program: `require('se3')((c, s) => console.log('cleanup', c, s)); ${UP}` },
  { name: 'signal-exit 4', program: `require('se4').onExit((c, s) => console.log('cleanup', c, s)); ${UP}` },
  {
    name: 'signal-exit 3 and 4, one with another listener',
    program: `require('se3')((c, s) => console.log('3', c, s)); require('se4').onExit((c, s) => console.log('4', c, s));
      process.on('SIGTERM', () => setTimeout(() => process.exit(3), 100)); ${UP}`,
  },
  {
    name: 'signal-exit 4 keeps the program alive',
    program: `require('se4').onExit((c, s) => { console.log('kept', s); setTimeout(() => process.exit(9), 50); return true; }); ${UP}`,
  },
  { name: 'signal-exit unloaded', program: `require('se4').onExit(() => {})(); require('se3')(() => {})(); ${UP}` },
  {
    name: 'proper-lockfile',
    program: `import { writeFileSync, existsSync } from 'node:fs';
      const file = process.argv[2]; writeFileSync(file, 'x'); await require('proper-lockfile').lock(file); ${UP}`,
    signals: ['SIGTERM'],
  },
  {
    name: 'write-file-atomic',
    program: `await require('write-file-atomic')(process.argv[2], 'x'); console.log('written'); ${UP}`,
  },
  {
    name: 'death',
    program: `require('death')(s => { console.log('death', s); setTimeout(() => { later(); process.exit(7); }, 50); }); ${UP}`,
    later: ['later'],
  },
  {
    name: 'node-cleanup, which kills the program again',
    program: `const clean = require('node-cleanup');
      clean((code, signal) => {
        console.log(code, signal);
        if (!signal) return;
        setTimeout(() => { later(); process.kill(process.pid, signal); }, 60); clean.uninstall(); return false;
      }); ${UP}`,
    signals: ['SIGINT'],
    later: ['later'],
  },
  {
    name: 'async-exit-hook',
    program: `const hook = require('async-exit-hook');
      hook(done => setTimeout(() => { later(); console.log('async'); done(); }, 200)); hook(() => console.log('sync')); ${UP}`,
    later: ['later'],
  },
  {
    name: 'exit-hook',
    program: `const { asyncExitHook } = await import('exit-hook');
      asyncExitHook(async code => { await new Promise(r => setTimeout(r, 150)); later(); console.log(code); }, { wait: 5_000 }); ${UP}`,
    later: ['later'],
  },
  {
    name: 'close-with-grace, at a signal and after its delay',
    program: `require('close-with-grace')({ delay: 300, logger: false }, async ({ signal }) => {
        console.log(signal); later(); await new Promise(r => setTimeout(r, 20_000)); }); ${UP}`,
    later: ['later'],
  },
  {
    name: 'a listener for one time',
    program: `process.once('SIGTERM', () => console.log('once')); ${UP}`,
    signals: ['SIGTERM', 'SIGTERM'],
  },
  {
    name: 'a prepended listener for one time that drains',
    program: `process.prependOnceListener('SIGTERM', () => setTimeout(() => { later(); process.exit(4); }, 700)); ${UP}`,
    later: ['later'],
  },
  {
    name: 'a second signal during the drain',
    program: `process.once('SIGTERM', () => { console.log('draining'); setTimeout(() => process.exit(4), 20_000); }); ${UP}`,
    signals: ['SIGTERM', 'SIGTERM'],
  },
  {
    name: 'a listener that exits at once',
    program: `process.on('SIGINT', () => process.exit(6)); ${UP}`,
    signals: ['SIGINT'],
  },
  { name: 'a listener that throws', program: `process.on('SIGTERM', () => { throw new Error('no'); }); ${UP}` },
  {
    name: 'all listeners removed',
    program: `process.on('SIGTERM', () => {}); process.removeAllListeners('SIGTERM'); ${UP}`,
  },
  {
    name: 'listeners of everything removed',
    program: `process.on('SIGTERM', () => {}); process.removeAllListeners(); ${UP}`,
  },
  {
    name: 'it kills itself, and what follows is not reached',
    program: `${TERM} console.log('reached'); process.exit(1);`,
  },
  {
    name: 'it kills itself by a number',
    program: `process.kill(process.pid, 15); console.log('reached'); process.exit(1);`,
  },
  {
    name: 'it asks whether it is alive, and others are told nothing of us',
    program: `process.kill(process.pid, 0);
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
        console.log(process.listenerCount(name), process.listeners(name).length, process.rawListeners(name).length, process.eventNames().includes(name));
      }
      console.log(process.kill.name, process.kill.length, /Signal|Timeout|Async/.test(process.getActiveResourcesInfo().join()));`,
    signals: [],
  },
  {
    name: 'beforeExit comes as often as it would',
    program: `let n = 0; process.on('beforeExit', () => console.log('before', ++n)); process.on('exit', c => console.log('exit', c));`,
    signals: [],
  },
  {
    name: 'beforeExit brings work once',
    program: `let n = 0; process.on('beforeExit', () => { console.log('before', ++n); if (n < 3) setTimeout(later, 10); });`,
    signals: [],
    later: ['later', 'later'],
  },
  {
    name: 'a cluster',
    program: `import cluster from 'node:cluster';
      if (cluster.isPrimary) {
        const worker = cluster.fork();
        worker.on('online', () => {});
        worker.on('message', () => worker.process.kill('SIGTERM'));
        worker.on('exit', (code, signal) => { console.log('worker', code, signal); ${TERM} });
      } else { later(); process.send('up'); setInterval(() => {}, 1000); }`,
    signals: [],
    later: ['held', 'later'],
  },
];

describe.skipIf(process.platform === 'win32')('signals', () => {
  test.concurrent.each(share(CASES))(
    '$name',
    async ({ name, program, signals = ['SIGTERM'], later = [] }) => {
      const { folder } = made as Home;
      const file = join(folder, `${name.replaceAll(/\W/g, '-')}.mjs`);
      writeFileSync(file, `${HEAD}const later = () => trace.getTracer('app').startSpan('later').end();\n${program}`);
      const { plain, recorded, spans } = await both(file, {
        cwd: folder,
        args: [`${file}.txt`],
        onLine: (line, child) => {
          if (line !== 'up') return;
          for (const [n, signal] of signals.entries()) setTimeout(() => child.kill(signal), n * 500);
        },
      });
      expect(recorded.seen, recorded.stderr).toEqual(plain.seen);
      expect(spans.toSorted()).toEqual(['held', ...later].toSorted());
    },
    60_000,
  );

  test.each(['SIGTERM', 'itself'])('observable instruments are asked a last time: %s', async how => {
    const { folder } = made as Home;
    const file = join(folder, `observed-${how}.mjs`);
    writeFileSync(
      file,
      `import { metrics } from '@opentelemetry/api';
      metrics.getMeter('app').createObservableGauge('depth').addCallback(result => result.observe(7));
      let n = 0; process.on('beforeExit', () => console.log('before', ++n));
      if (process.argv[2] === 'SIGTERM') { setInterval(() => {}, 1000); console.log('up'); }`,
    );
    const outputDir = directory();
    const { seen } = await program(
      file,
      {
        cwd: folder,
        args: [how],
        env: { OTLP_ARROW_OUTPUT_DIR: outputDir },
        onLine: (line, child) => void (line === 'up' && child.kill('SIGTERM')),
      },
      ['--import', 'otlp-arrow/register'],
    );
    expect(seen.stdout).toBe(how === 'itself' ? 'before 1\n' : 'up\n');
    const points = await readDirectory(outputDir, 'metrics');
    expect(points.find(row => row.metric_name === 'depth')).toMatchObject({ value: 7 });
  });

  test('the packages are here', context => void need(made, context));
});

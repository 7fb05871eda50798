/**
 * A request, a fork, a signal and a full disk at once, in seeded rounds: the program's own result is that without us.
 *
 *     npm run test:long -- rounds            a thousand rounds
 *     ROUNDS=1 ROUNDS_SEED=42 npx vitest run test/guests/rounds.test.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../node/random.js';
import { type Home, home, program, type Run } from './guests.js';

const ROUNDS = Number(process.env.ROUNDS ?? 8);
const FIRST_SEED = Number(process.env.ROUNDS_SEED ?? (process.env.ROUNDS === undefined ? process.pid : 1));
/** A program whose disk is full waits for seconds at its end. */
const AT_ONCE = Math.min(ROUNDS, 8);
const KIB = 1024;
const VOLUME_KIB = 2048;

/** What one round is made of; the program is given it as JSON. */
interface Round {
  /** Requests that are answered before the end, each with as many spans. */
  readonly requests: number;
  readonly spans: number;
  readonly bytes: number;
  /** Requests that are under way when the end comes. */
  readonly open: number;
  readonly fork: 'none' | 'fork' | 'exec' | 'cluster' | 'thread';
  /** Whether the child still runs when the end comes. */
  readonly childStays: boolean;
  readonly end: 'signal' | 'exit' | 'throw' | 'reject' | 'kill itself' | 'return';
  readonly signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR2' | 'SIGQUIT';
  readonly listener: 'none' | 'drains' | 'exits' | 'again' | 'ignores one';
  readonly disk: { readonly kind: 'volume' | 'limit'; readonly freeKib: number };
  readonly reserve: '0B' | '64KiB' | undefined;
  readonly delayMs: number;
  readonly durability: 'buffered' | 'synced';
}

function round(seed: number, volumes: boolean): Round {
  // Seeds that follow each other begin far apart.
  const random = new Random(Math.imul(seed, 0x9e3779b1));
  const below = (end: number): number => random.int(end);
  const pick = <T>(values: readonly T[]): T => random.pick(values);
  return {
    requests: below(4),
    spans: pick([1, 20, 300]),
    bytes: pick([10, 1_000]),
    open: below(3),
    fork: pick(['none', 'fork', 'exec', 'cluster', 'thread']),
    childStays: below(2) === 1,
    end: pick(['signal', 'signal', 'signal', 'exit', 'throw', 'reject', 'kill itself', 'return']),
    signal: pick(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'SIGQUIT']),
    listener: pick(['none', 'drains', 'exits', 'again', 'ignores one']),
    disk: { kind: volumes ? pick(['volume', 'limit']) : 'limit', freeKib: pick([0, 4, 12, 40, 200, 1_000]) },
    reserve: pick(['0B', '64KiB', undefined]),
    delayMs: pick([1, 50, 5_000]),
    durability: pick(['buffered', 'synced']),
  };
}

/** The program: what it says is decided by the round alone, whatever the order of events within it. */
const PROGRAM = `
import { fork, spawn } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { trace } from '@opentelemetry/api';

const round = JSON.parse(process.env.ROUND);
const record = count => {
  for (let n = 0; n < count; n++) trace.getTracer('round').startSpan('work', { attributes: { n, text: 'x'.repeat(round.bytes) } }).end();
};
const role = process.env.ROLE ?? (workerData === 'child' ? 'thread' : 'main');

if (role !== 'main') {
  record(round.spans);
  if (role === 'thread') {
    parentPort.postMessage('up');
    if (round.childStays) setInterval(() => {}, 1000);
  } else if (role === 'exec') {
    console.log('child');
    process.exit(5);
  } else {
    process.on('disconnect', () => process.exit(0));
    process.send('up', () => { if (!round.childStays) process.exit(5); });
  }
} else {
  let held = [];
  const server = createServer((request, response) => {
    record(round.spans);
    if (request.url === '/open') { held.push(response); return; }
    response.end('ok ' + request.url);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const ask = path => new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: server.address().port, path, agent: false }, response => {
      let text = ''; response.setEncoding('utf8').on('data', part => { text += part; }).on('end', () => resolve(text));
    }).on('error', reject);
  });
  const finish = async code => {
    for (const response of held.splice(0)) response.end('late');
    console.log('drained', (await Promise.all(opened)).join());
    server.close();
    process.exit(code);
  };
  const listeners = {
    none: () => {},
    drains: () => process.once(round.signal, () => { console.log('draining'); finish(3); }),
    exits: () => process.on(round.signal, () => { console.log('exits'); process.exit(6); }),
    again: () => process.once(round.signal, signal => { console.log('again'); process.kill(process.pid, signal); }),
    'ignores one': () => { let n = 0; process.on(round.signal, () => { console.log('ignored', ++n); if (n === 2) process.exit(8); else console.log('up'); }); },
  };
  listeners[round.listener]();
  for (let n = 0; n < round.requests; n++) console.log(await ask('/' + n));
  const opened = Array.from({ length: round.open }, () => ask('/open').catch(error => error.code));
  while (held.length < round.open) await new Promise(setImmediate);

  let child;
  if (round.fork === 'fork') child = fork(process.argv[1], { env: { ...process.env, ROLE: 'fork' } });
  if (round.fork === 'exec') child = spawn(process.execPath, [process.argv[1]], { env: { ...process.env, ROLE: 'exec' }, stdio: 'inherit' });
  if (round.fork === 'cluster') { const worker = cluster.fork({ ROLE: 'cluster' }); child = worker.process; }
  if (round.fork === 'thread') child = new Worker(process.argv[1], { workerData: 'child' });
  if (child) {
    // It may be gone as soon as its message is here.
    const gone = once(child, 'exit');
    if (round.fork !== 'exec') await once(child, 'message');
    if (round.fork === 'exec' || !round.childStays) console.log('child ended', String(await gone));
    child.unref?.();
  }
  record(round.spans);
  const boom = () => { throw new Error('of the program'); };
  if (round.end === 'exit') process.exit(4);
  else if (round.end === 'throw') setImmediate(boom);
  else if (round.end === 'reject') Promise.reject(new Error('of the program'));
  else if (round.end === 'kill itself') process.kill(process.pid, round.signal);
  else if (round.end === 'return') await finish(0);
  if (round.end === 'signal') { setInterval(() => {}, 1000); console.log('up'); }
  if (round.end === 'kill itself') { setInterval(() => {}, 1000); if (round.listener === 'ignores one') process.kill(process.pid, round.signal); }
}
`;

/** A folder for one round at a time, on a small volume of its own where we may make one. */
interface Place {
  readonly folder: string;
  readonly volume: boolean;
}

function place(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-rounds-'));
  try {
    // Only root may; others have a limit of the size of files, which is as full.
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_KIB}k`, 'tmpfs', folder], { stdio: 'ignore' });
    return { folder, volume: true };
  } catch {
    return { folder, volume: false };
  }
}

let made: Home;
let places: readonly Place[] = [];
beforeAll(async () => {
  made = (await home([])) as Home;
  writeFileSync(join(made.folder, 'round.mjs'), PROGRAM);
  places = Array.from({ length: AT_ONCE }, place);
});
afterAll(() => {
  for (const { folder, volume } of places) {
    if (volume) execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
  made.remove();
});

/** One run. The disk has as much room as the round says for both, though only one writes. */
async function one(round: Round, place: string, recorded: boolean): Promise<Run> {
  const outputDir = join(place, 'out');
  const filler = join(place, 'filler');
  for (const name of [outputDir, filler]) rmSync(name, { recursive: true, force: true });
  mkdirSync(outputDir);
  if (round.disk.kind === 'volume')
    writeFileSync(filler, Buffer.alloc((VOLUME_KIB - round.disk.freeKib) * KIB - 64 * KIB));
  const env = {
    ROUND: JSON.stringify(round),
    OTLP_ARROW_OUTPUT_DIR: outputDir,
    OTEL_BSP_SCHEDULE_DELAY: String(round.delayMs),
    OTLP_ARROW_DURABILITY: round.durability,
    // Unset it would be taken for the test's own.
    OTLP_ARROW_STORAGE__MIN_FREE_BYTES: round.reserve ?? '1MiB',
  };
  const limit = round.disk.kind === 'limit' ? `ulimit -c 0; ulimit -f ${2 * round.disk.freeKib};` : 'ulimit -c 0;';
  const words = ['-c', `${limit} exec "$@"`, 'sh', process.execPath];
  let up = 0;
  return program(
    'round.mjs',
    {
      cwd: made.folder,
      node: '/bin/sh',
      env,
      // It and its child may each wait for room at their ends, on a machine that is busy.
      longestMs: 60_000,
      onLine: (line, child) => {
        if (line === 'up' && up++ < 2) child.kill(round.signal);
      },
    },
    [...words, ...(recorded ? ['--import', 'otlp-arrow/register'] : [])],
  );
}

/** What the program said of itself: not what we say of the full disk, nor where in Node.js an error was thrown. */
const own = (stderr: string): string[] =>
  stderr.split('\n').filter(line => !line.startsWith('otlp-arrow') && /of the program|^Node\.js|Error/.test(line));

describe.skipIf(process.platform === 'win32')('rounds', () => {
  test(
    `${ROUNDS} from seed ${FIRST_SEED}`,
    async () => {
      const wrong: unknown[] = [];
      let seed = FIRST_SEED;
      const worker = async ({ folder, volume }: Place): Promise<void> => {
        while (seed < FIRST_SEED + ROUNDS && wrong.length < 5) {
          const mine = seed++;
          const made = round(mine, volume);
          const runs = [await one(made, folder, false), await one(made, folder, true)];
          const [plain, recorded] = runs.map(({ seen, stderr }) => ({ ...seen, stderr: own(stderr) }));
          if (isDeepStrictEqual(plain, recorded)) continue;
          wrong.push({ seed: mine, plain, recorded, made, stderr: runs[1]!.stderr.slice(0, 2_000) });
        }
      };
      await Promise.all(places.map(worker));
      expect(wrong).toEqual([]);
    },
    60_000 + ROUNDS * 15_000,
  );
});

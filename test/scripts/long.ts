/**
 * `npm run test:long`: the long forms of what `npm test` runs a share of. Hours.
 *
 *     npm run test:long                         everything
 *     npm run test:long -- round crash          only those whose name contains one of the words
 *     npm run test:long -- fuzz --scale 0.01    a hundredth of it
 *     npm run test:long -- --list               the names
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask } from './ask.js';
import { attackTools } from './attack-tools.js';
import { attacks } from './attacks.js';
import { collectorPeer } from './collector.js';
import { collectorFiles } from './collector-files.js';
import { cost } from './cost.js';
import { eyes } from './eyes.js';
import { fuzz } from './fuzz.js';
import { otapCollector } from './otap-collector.js';
import { otapOut } from './otap-out.js';
import { programs } from './programs.js';
import { prometheusDoor } from './prometheus.js';
import { promql } from './promql.js';
import { proxies } from './proxies.js';
import { ROOT, run, venvBin } from './run.js';
import { addon, extension, pythonEnvironment } from './setup.js';
import { sizes } from './sizes.js';
import { smallWire } from './small-wire.js';
import { waits } from './waits.js';
import { windowsUnderWine } from './windows.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: 'boolean', default: false }, scale: { type: 'string', default: '1' } },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 100)) throw new Error(`--scale ${values.scale}: give a number above 0, at most 100`);
const share = (count: number) => String(Math.max(1, Math.round(count * scale)));

const FUZZ_TARGETS = 7;

/** One test of crates/core/tests/forward_long, with what it measured. */
const forwardLong = (module: string, env: Record<string, string>) =>
  run(
    'cargo',
    ['test', '--release', '--quiet', '--test', 'forward_long', '--', `${module}::`, '--nocapture', '--test-threads=1'],
    {
      env,
    },
  );

/** Numbered records from many threads, in each language. */
async function producers(): Promise<void> {
  const env = { PRODUCED_RECORDS: share(1_000_000) };
  await run('cargo', ['test', '--release', '--quiet', '--test', 'sdk', 'every_numbered_record'], { env });
  await addon();
  await run('npx', ['--no-install', 'vitest', 'run', 'test/node/producers.test.ts'], { env });
  await pythonEnvironment();
  await extension();
  await run(venvBin('pytest'), ['-q', '-k', 'sixteen_producers'], { cwd: join(ROOT, 'python'), env });
}

/** Random questions, each answered a second time in Python over what pyarrow reads. */
async function questions(): Promise<void> {
  await pythonEnvironment();
  await extension();
  const env = { OTLP_ARROW_QUESTIONS: share(100_000) };
  await run(venvBin('pytest'), ['-q', '-k', 'computed_by_hand'], { cwd: join(ROOT, 'python'), env });
}

/** Arrow Flight: a recorder that is killed again and again, a large answer in little memory, and nonsense. */
async function flight(): Promise<void> {
  await pythonEnvironment();
  await extension();
  const env = { FLIGHT_KILLS: share(500), FLIGHT_ROWS: share(10_000_000), FLIGHT_FUZZED: share(100_000) };
  const tests = ['-q', '-s', '../test/python/test_flight.py', '-k', 'killed or large_answer or nonsense'];
  await run(venvBin('pytest'), tests, { cwd: join(ROOT, 'python'), env });
}

/** Other people's programs with `otlp-arrow/register`, on every version of Node.js. */
async function guests(): Promise<void> {
  await addon();
  await run('npx', ['--no-install', 'vitest', 'run', 'test/guests'], { env: { GUESTS: 'all' } });
}

/** A request, a fork, a signal and a full disk at once, in Node.js and in Python. */
async function rounds(): Promise<void> {
  const env = { ROUNDS: share(1_000) };
  await addon();
  await run('npx', ['--no-install', 'vitest', 'run', 'test/guests/rounds.test.ts'], { env });
  await pythonEnvironment();
  await extension();
  await run(venvBin('pytest'), ['-q', '../test/python/guests/test_rounds.py'], { cwd: join(ROOT, 'python'), env });
}

/** Each returns a reason if it cannot be tried here. */
const RUNS: Readonly<Record<string, () => Promise<unknown>>> = {
  'round trips': () =>
    run('cargo', ['test', '--release', '--quiet', '--test', 'round_trip'], {
      env: { OTLP_ARROW_CASES: share(1_000_000) },
    }),
  'round trips by otap': () =>
    run('cargo', ['test', '--release', '--quiet', '--test', 'otap_out'], {
      env: { OTLP_ARROW_CASES: share(1_000_000) },
    }),
  'store schedules': () =>
    run('cargo', ['test', '--release', '--quiet', '--test', 'store_model'], {
      env: { OTLP_ARROW_SCHEDULES: share(100_000) },
    }),
  'crash rounds': () => run(process.execPath, [join(ROOT, 'test/dist/crash/main.js'), '--rounds', share(1_000)]),
  'remote away': () => forwardLong('away', { OTLP_ARROW_AWAY_RECORDS: share(21_600_000) }),
  'forward cost': () => forwardLong('cost', { OTLP_ARROW_COST_ROUNDS: '5', OTLP_ARROW_COST_REQUESTS: share(2_000) }),
  'collector as destination': () => collectorPeer(Number(share(1_000))),
  'otap-out': () => otapOut(Number(share(600))),
  'files of the collector': () => collectorFiles(),
  'otap kills': () =>
    run('cargo', ['test', '--release', '--quiet', '--test', 'otap_killed'], {
      env: { OTLP_ARROW_OTAP_KILLS: share(500) },
    }),
  'otap-collector': () => otapCollector(Number(share(600))),
  'prometheus as destination': () => prometheusDoor(),
  proxies: () => proxies(),
  promql: () => promql(Number(share(20_000))),
  'token wrong for an hour': () => forwardLong('token', { OTLP_ARROW_TOKEN_SECONDS: share(3_600) }),
  cost: () => cost(scale, 'table'),
  'small requests': () => cost(scale, 'small'),
  'idle memory': () => cost(scale, 'idle'),
  'largest requests': () =>
    run('cargo', ['test', '--release', '--quiet', '--test', 'library', 'largest'], {
      env: { OTLP_ARROW_LARGEST: '1' },
    }),
  attacks: () => attacks(Math.min(100, 10 * scale)),
  'attacks by public tools': () => attackTools(),
  producers,
  questions,
  flight,
  ask: () => ask(scale),
  eyes: () => eyes(scale),
  sizes,
  waits: () => waits(Math.max(1, 6 * scale)),
  'small wire': () => smallWire(Number(share(31_000_000))),
  guests,
  programs: () => programs(Number(share(10))),
  rounds,
  'windows under wine': windowsUnderWine,
  fuzzing: () => fuzz(Number(share((2 * 3600) / FUZZ_TARGETS))),
};

const names = Object.keys(RUNS).filter(
  name => positionals.length === 0 || positionals.some(word => name.includes(word)),
);
if (values.list) console.log(names.join('\n'));
else if (names.length === 0) throw new Error('no run is named like that; --list shows the names');
else {
  const results: string[] = [];
  for (const name of names) {
    console.log(`\n=== ${name}`);
    const started = Date.now();
    let verdict = 'passed';
    try {
      const reason = await RUNS[name]!();
      if (typeof reason === 'string' && /^(skipped|not here): /.test(reason)) verdict = reason;
    } catch (error) {
      verdict = 'FAILED';
      process.exitCode = 1;
      console.error(error);
    }
    results.push(`${((Date.now() - started) / 1000).toFixed(1).padStart(9)} s  ${name}: ${verdict}`);
  }
  console.log(`\n${results.join('\n')}`);
}

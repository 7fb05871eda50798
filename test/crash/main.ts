/**
 * The kill test: programs under load, ended at random moments and at every named place, judged by pyarrow.
 *
 *     npm run test:crash -- --rounds 1000 --seed 7
 *     npm run test:crash -- --rounds 300 --program node     serve, node, python, or mixed (the default)
 *     npm run test:crash -- --built                         with what was built for it already
 *
 * Ten rounds share a directory, so that every start recovers what the rounds before left. A round chooses the place that
 * was hit least often and brings about the situation in which it is passed. What is ended is built with failpoints.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { binary } from '../scripts/run.js';
import { addonWithFailpoints, binaryWithFailpoints, extension, pythonEnvironment } from '../scripts/setup.js';
import { Ledger } from './ledger.js';
import { Oracle } from './oracle.js';
import { Kills, type Phase, PLACES, stepOf } from './places.js';
import { KINDS, type Kind, type Program, start } from './program.js';
import { fill, type Planted, plantJunk, settingsFor, tear, unsealed, unsettled } from './situation.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    program: { type: 'string', default: 'mixed' },
    built: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds > 0 && rounds <= 100_000))
  throw new Error(`--rounds ${values.rounds}: give a number`);
const programs = values.program === 'mixed' ? KINDS : KINDS.filter(kind => kind === values.program);
if (programs.length === 0) throw new Error(`--program ${values.program}: give serve, node, python or mixed`);

/** Rounds that share one directory. */
const ERA = 10;
/** Kills of 1,000 that each place gets at least. */
const AT_LEAST = 20;
/** After so long a place that was not passed is given up for this round. */
const PATIENCE_MS = 6_000;

let state = Number(values.seed) >>> 0;
/** Mulberry32. */
const random = (): number => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};
const below = (end: number) => Math.floor(random() * end);

/** One directory and everything that was sent into it. */
interface Era {
  readonly directory: string;
  readonly ledger: Ledger;
  readonly planted: Planted[];
  /** Retention may have deleted something, ever and in the last round. */
  deleted: boolean;
  deleting: boolean;
}

const kills = new Kills();
/** How long each program takes to open a directory: the window of kills at random moments of a recovery. */
const openMs: Record<Kind, number> = { serve: 15, node: 15, python: 15 };
let done = 0;
let withSecond = 0;
let missed = 0;

/** At which passage of its place the process ends itself. */
function passage(place: string, phase: Phase, left: number): number {
  const step = stepOf(place);
  if (step === 'write' || step === 'fdatasync') return 1 + below(60);
  if (step === 'create' || step === 'rotate') return 1 + below(4);
  if (step === 'retention-delete') return 1 + below(2);
  if (step === 'adopt' || step === 'quarantine') return 1;
  // Recovery seals what was left; in the phase of load the place is passed once more for each of these files.
  const files = phase === 'recovery' ? 0 : left;
  const times = step === 'seal-write' ? 3 : 1;
  return files * times + 1 + below(phase === 'recovery' ? Math.max(1, left) : 3);
}

async function kill(program: Program): Promise<void> {
  program.process.kill('SIGKILL');
  await program.ended;
}

/** One life of a program, and in every tenth round of a second one beside it. */
async function round(era: Era, number: number, kind: Kind, service: string): Promise<void> {
  const { directory, ledger } = era;
  const left = unsealed(directory).length;
  const phase: Phase = left > 0 && kills.of('|recovery') * 4 < kills.of('|') + 1 ? 'recovery' : 'load';
  const somewhere = kills.of(`random moment|${phase}`) * (phase === 'recovery' ? 5 : 4) < kills.of(`|${phase}`);
  const at = somewhere ? undefined : kills.next(phase, number, number % ERA < 3);
  const settings = settingsFor(at);
  let empty = () => {};
  if (at !== undefined) {
    settings.OTLP_ARROW_FAILPOINT = `${at}:${passage(at, phase, left)}`;
    if (stepOf(at) === 'quarantine' && !(below(2) === 0 && tear(directory, random))) {
      era.planted.push(plantJunk(directory, random));
    }
    era.deleting = stepOf(at) === 'retention-delete';
    era.deleted ||= era.deleting;
    if (era.deleting) empty = fill(directory);
  }
  const options = { directory, ledger, binary: service };
  let second: Program | undefined;
  if (number % 10 === 9) {
    withSecond += 1;
    second = start('serve', { ...options, settings: settingsFor(undefined) });
    // In a recovery both begin at once and contend for what was left.
    if (phase === 'load') await second.open;
  }
  const program = start(kind, { ...options, settings });
  const beside = second?.open.then(() => second.load());

  await program.opening;
  const began = performance.now();
  let open = false;
  const opened = program.open.then(reached => {
    open = reached;
    if (reached && phase === 'recovery') openMs[kind] = 0.8 * openMs[kind] + 0.2 * (performance.now() - began);
  });
  if (phase === 'recovery' && at === undefined) {
    await Promise.race([program.ended, opened, sleep(random() * openMs[kind])]);
  } else {
    await opened;
    const load = open ? program.load() : undefined;
    const limit = new AbortController();
    const patience = at === undefined ? 20 + random() * 400 : PATIENCE_MS;
    await Promise.race([program.ended, sleep(patience, undefined, { signal: limit.signal }).catch(() => {})]);
    limit.abort();
    load?.stop();
  }
  const itself = program.process.exitCode !== null || program.process.signalCode !== null;
  if (itself && at === undefined)
    throw new Error(`${kind} ended by itself: ${program.process.exitCode}: ${program.said()}`);
  if (itself && program.process.signalCode !== 'SIGABRT')
    throw new Error(
      `${kind} ended with ${program.process.exitCode ?? program.process.signalCode} on its way to ${at}: ${program.said()}`,
    );
  await kill(program);
  kills.add(itself && at !== undefined ? at : 'random moment', kind, open ? 'load' : 'recovery');
  if (!itself && at !== undefined) missed += 1;
  if (second !== undefined) {
    // It goes on for a moment without the first.
    const load = await beside;
    await Promise.race([second.ended, sleep(random() * 150)]);
    load?.stop();
    await kill(second);
    await load?.over;
  }
  empty();
}

/** Lets a service recover everything and end in peace. */
async function settle(era: Era, service: string): Promise<void> {
  const { directory, ledger } = era;
  const program = start('serve', { directory, ledger, binary: service, settings: settingsFor(undefined) });
  if (!(await program.open)) throw new Error(`the service does not start: ${program.said()}`);
  // Opening takes over what it can within two seconds; on a busy machine the rest follows in the background.
  for (const until = Date.now() + 60_000; unsealed(directory).length > 0 && Date.now() < until; ) await sleep(20);
  program.process.kill('SIGTERM');
  const limit = new AbortController();
  const late = sleep(30_000, 'late', { signal: limit.signal }).catch(() => {});
  const first = await Promise.race([program.ended, late]);
  limit.abort();
  if (first === 'late') throw new Error('the service does not end on SIGTERM');
}

if (!values.built) {
  await pythonEnvironment();
  if (programs.includes('node')) await addonWithFailpoints();
  if (programs.includes('python')) await extension({ failpoints: true });
  await binaryWithFailpoints();
}
const binaryOfService = binary('debug');
const oracle = new Oracle();
const failures: string[] = [];
const total = { acknowledged: 0, records: 0, evicted: 0, unknown: 0 };
const began = Date.now();
for (let first = 0; first < rounds && failures.length === 0; first += ERA) {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-crash-'));
  const era: Era = { directory, ledger: new Ledger(), planted: [], deleted: false, deleting: false };
  oracle.begin(directory);
  for (let number = first; number < Math.min(first + ERA, rounds) && failures.length === 0; number += 1) {
    // Three of five rounds are the service's.
    const kind =
      programs.length === 1 ? programs[0]! : (['serve', 'node', 'serve', 'python', 'serve'] as const)[number % 5]!;
    era.deleting = false;
    await round(era, number, kind, binaryOfService);
    const verdict = await oracle.judge(era.ledger.news(), { retention: era.deleting, fresh: false });
    failures.push(...verdict.errors.map(error => `round ${number} (${kind}), as the crash left it: ${error}`));
    total.unknown += verdict.unknown;
    done += 1;
  }
  if (failures.length === 0) {
    await settle(era, binaryOfService);
    const verdict = await oracle.judge(era.ledger.news(), { retention: false, fresh: true });
    failures.push(...verdict.errors.map(error => `after round ${first + ERA - 1}, recovered: ${error}`));
    total.evicted += verdict.evicted;
    // Retention may delete what was set aside as well.
    failures.push(...unsettled(directory, era.deleted ? [] : era.planted));
  }
  total.acknowledged += era.ledger.acknowledged;
  total.records += era.ledger.records;
  if (failures.length === 0) rmSync(directory, { recursive: true, force: true });
  else console.error(`the directory is kept: ${directory}`);
  if ((first / ERA) % 10 === 9 || failures.length > 0) {
    const fewest = Math.min(...PLACES.map(place => kills.of(place)));
    console.log(
      `${first + ERA} rounds after ${Math.round((Date.now() - began) / 1000)} s, each place at least ${fewest} times`,
    );
  }
}
oracle.close();

const wanted = Math.floor((AT_LEAST * rounds) / 1000);
for (const place of PLACES) {
  if (failures.length === 0 && kills.of(place) < wanted)
    failures.push(`${place} was hit ${kills.of(place)} times, and ${wanted} are asked for`);
}
console.log(kills.table(KINDS).join('\n'));
console.log(
  `${done} rounds, ${withSecond} with a second process, ${missed} in which the place was not passed, ` +
    `${((Date.now() - began) / 1000 / done).toFixed(2)} s each, seed ${values.seed}, ${binaryOfService}`,
);
console.log(
  `${total.acknowledged} requests acknowledged, ${total.records} records in them; retention deleted ` +
    `${total.evicted} requests, ${total.unknown} of them before they were looked at`,
);
console.log(failures.slice(0, 20).join('\n'));
console.log(`${failures.length === 0 ? 1 : 0} passed, ${failures.length === 0 ? 0 : 1} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

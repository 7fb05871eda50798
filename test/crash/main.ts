/**
 * The kill test: the real service under load, ended at random moments and at every named place, judged by pyarrow.
 *
 *     npm run test:crash -- --rounds 1000 --seed 7
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { run } from '../scripts/run.js';
import { pythonEnvironment } from '../scripts/setup.js';
import { Oracle } from './oracle.js';
import { Ledger, type Service, sendUntil, startService } from './service.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '40' }, seed: { type: 'string', default: '1' } },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds > 0 && rounds <= 100_000))
  throw new Error(`--rounds ${values.rounds}: give a number`);

/** Rounds that share one directory. */
const ERA = 10;
const PLACES = [
  'create',
  'write',
  'fdatasync',
  'rotate',
  'seal-write',
  'seal-sync',
  'rename',
  'directory-sync',
  'unlink',
  'adopt',
  'quarantine',
  'retention-delete',
].flatMap(name => [`${name}.before`, `${name}.after`]);

let state = Number(values.seed) >>> 0 || 1;
const chance = (): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};

const kills = new Map<string, number>();
const count = (what: string) => kills.set(what, (kills.get(what) ?? 0) + 1);

/** The settings under which a place is passed at all. */
function settings(place: string | undefined): string[] {
  const common = ['rotation.max_bytes=256KiB', 'storage.min_free_bytes=0B'];
  if (place?.startsWith('fdatasync') || place?.startsWith('directory-sync')) common.push('durability=synced');
  if (place?.startsWith('retention-delete')) common.push('retention.max_bytes=1MiB');
  return common;
}

function kill(service: Service): void {
  service.process.kill('SIGKILL');
}

/** One life of the service. Returns whether it ended itself at the place. */
async function round(directory: string, ledger: Ledger, number: number): Promise<boolean> {
  const during = number % 4 === 3;
  const place = number % 3 === 0 ? undefined : PLACES[number % PLACES.length];
  const failpoint = place === undefined ? undefined : `${place}:${1 + Math.floor(chance() * 3)}`;
  const service = startService(directory, settings(place), failpoint);
  const companion = number % 10 === 9 ? startService(directory, settings(undefined)) : undefined;
  if (during) {
    // A kill while what the last one left is being recovered.
    await Promise.race([service.ended, sleep(chance() * 60)]);
    kill(service);
    count('during recovery');
  }
  const addresses = await Promise.all([service.address, companion?.address]);
  const limit = sleep(150 + chance() * 700).then(() => undefined);
  const senders = addresses.flatMap(address =>
    address === undefined ? [] : [1, 2, 3].map(() => sendUntil(address, ledger, Promise.race([service.ended, limit]))),
  );
  // A place that is passed only when something is left over, or never, is ended by the clock.
  await Promise.race([service.ended, limit]);
  const itself = service.process.exitCode !== null || service.process.signalCode === 'SIGABRT';
  if (itself && place !== undefined && !during) count(place);
  if (!itself && !during) count('at a random moment');
  kill(service);
  if (companion !== undefined) kill(companion);
  await Promise.all([service.ended, companion?.ended, ...senders]);
  return itself;
}

/** Lets a service recover everything and end in peace. */
async function settle(directory: string): Promise<void> {
  const service = startService(directory, settings(undefined));
  await service.address;
  service.process.kill('SIGTERM');
  const late = sleep(20_000).then(() => 'late');
  if ((await Promise.race([service.ended, late])) === 'late') throw new Error('the service does not end on SIGTERM');
}

await pythonEnvironment();
await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
const oracle = new Oracle();
const failures: string[] = [];
let acknowledged = 0;
for (let first = 0; first < rounds && failures.length === 0; first += ERA) {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-crash-'));
  const ledger = new Ledger();
  let evicted = false;
  for (let number = first; number < Math.min(first + ERA, rounds); number += 1) {
    await round(directory, ledger, number);
    evicted ||= PLACES[number % PLACES.length]?.startsWith('retention-delete') === true && number % 3 !== 0;
    // Once as the crash left it, and at the end of the era as recovery left it.
    const verdict = await oracle.judge({ dir: directory, sent: ledger.sent, acked: ledger.acked, evicted });
    failures.push(...verdict.errors.map(error => `round ${number}, as the crash left it: ${error}`));
  }
  await settle(directory);
  const verdict = await oracle.judge({ dir: directory, sent: ledger.sent, acked: ledger.acked, evicted });
  failures.push(...verdict.errors.map(error => `after round ${first + ERA - 1}, recovered: ${error}`));
  acknowledged += ledger.acked.length;
  if (failures.length === 0) rmSync(directory, { recursive: true, force: true });
  else console.error(`the directory is kept: ${directory}`);
}
oracle.close();
for (const [what, times] of [...kills].sort()) console.log(`${String(times).padStart(6)} kills ${what}`);
console.log(`${rounds} rounds, ${acknowledged} requests acknowledged, seed ${values.seed}`);
console.log(failures.slice(0, 20).join('\n'));
console.log(`${failures.length === 0 ? 1 : 0} passed, ${failures.length === 0 ? 0 : 1} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

/**
 * The table of attempts against a running service: what each was answered, the memory at its peak, and whether a
 * well-behaved client beside it kept its service.
 *
 *     node test/dist/attacks/main.js                 a share, for `npm test`
 *     node test/dist/attacks/main.js --scale 10      more of what can be more
 *     node test/dist/attacks/main.js --only 27       only these rows, or names
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { binary } from '../scripts/run.js';
import { type Attack, ensure, resident, type Target } from './attack.js';
import { Neighbour } from './neighbour.js';
import { BODIES } from './rows/bodies.js';
import { HTTP1 } from './rows/http1.js';
import { HTTP2 } from './rows/http2.js';
import { TRUST } from './rows/trust.js';
import { BESIDE, BUFFER, forgetPeak, peak, serve } from './service.js';
import { until } from './wait.js';

const ATTACKS: readonly Attack[] = [...HTTP1, ...HTTP2, ...BODIES, ...TRUST].sort((one, other) => one.row - other.row);
const MIB = 1 << 20;
/** What of its peak a service may keep for later: threads, pools and pages of files that were read. */
const KEPT = 48 * MIB;

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    binary: { type: 'string' },
  },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 100)) throw new Error(`--scale ${values.scale}: give a number above 0, at most 100`);
const program = values.binary ?? binary('debug');
if (!existsSync(program)) throw new Error(`${program} is not there: cargo build --bin otlp-arrow`);
const chosen = ATTACKS.filter(
  ({ row, name }) => values.only === undefined || values.only.some(one => String(row) === one || name.includes(one)),
);
if (chosen.length === 0) throw new Error(`--only ${values.only?.join(' ')}: no row and no name is like that`);

/** One attempt beside a client that must not notice: a line of the table. */
async function attempt(attack: Attack, target: Target, idle: number): Promise<string> {
  const { service, port } = target;
  forgetPeak(service);
  const neighbour = new Neighbour(port);
  let answered: string;
  try {
    answered = await attack.run(target);
  } finally {
    await neighbour.stop().catch(() => undefined);
  }
  const { requests, slowest } = await neighbour.stop();
  const most = peak(service);
  ensure(`at most ${(BUFFER + BESIDE) / MIB} MiB at the peak`, most <= BUFFER + BESIDE, `${most / MIB} MiB`);
  await until('memory is back', () => resident(service) <= idle + KEPT);
  const figures = `peak ${(most / MIB).toFixed(0)} MiB, after ${(resident(service) / MIB).toFixed(0)} MiB`;
  return `${figures}; beside it ${requests} of ${requests} answered, the slowest after ${slowest.toFixed(0)} ms; ${answered}`;
}

const service = await serve(program);
const failed: string[] = [];
try {
  const target: Target = { service, port: service.ports[1], binary: program, scale };
  // A client has been there before memory is compared with what it was.
  await new Neighbour(target.port).stop();
  const idle = resident(service);
  for (const attack of chosen) {
    const title = `${attack.row} ${attack.name}`;
    const began = performance.now();
    try {
      const line = await attempt(attack, target, idle);
      console.log(`${title}: ${line} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed.push(title);
      console.error(`${title}: FAILED: ${error instanceof Error ? error.message : error}`);
    }
  }
} finally {
  const code = await service.stop();
  if (code !== 0) failed.push(`the service ended with ${code}: ${service.said().slice(-2_000)}`);
}
console.log(`${chosen.length} attempts, ${failed.length} failed`);
if (failed.length > 0) throw new Error(`what failed:\n${failed.join('\n')}`);

/** What must be there so that a place is passed: settings, and files that are planted. */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { stepOf } from './places.js';

const SIGNALS = ['traces', 'metrics', 'logs'];

/** A file of an output directory. */
interface Found {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
}

function dataFiles(directory: string): Found[] {
  return SIGNALS.flatMap(signal => {
    const folder = join(directory, 'otlp', signal);
    if (!existsSync(folder)) return [];
    return readdirSync(folder).map(name => {
      const path = join(folder, name);
      return { path, name, bytes: statSync(path).size };
    });
  });
}

/** Streams that nobody has sealed yet. */
export function unsealed(directory: string): Found[] {
  const files = dataFiles(directory);
  const names = new Set(files.map(({ path }) => path));
  return files.filter(({ path }) => path.endsWith('.arrows') && !names.has(path.slice(0, -1)));
}

/** Variables under which a place is passed, besides those that hold for all rounds. */
export function settingsFor(place: string | undefined): Record<string, string> {
  const settings: Record<string, string> = {
    OTLP_ARROW_ROTATION__MAX_BYTES: '256KiB',
    OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B',
  };
  const step = place === undefined ? undefined : stepOf(place);
  if (step === 'fdatasync' || step === 'directory-sync') settings.OTLP_ARROW_DURABILITY = 'synced';
  if (step === 'retention-delete') settings.OTLP_ARROW_RETENTION__MAX_BYTES = `${RETENTION}B`;
  return settings;
}

/** The smallest limit that may be set. */
const RETENTION = 1 << 20;

/**
 * Makes the directory so full that the first sweep deletes some of the oldest files and not all of them: everything in it
 * counts, also what lies in quarantine. Returns how to undo that.
 */
export function fill(directory: string): () => void {
  const bytes = dataFiles(directory).reduce((sum, file) => sum + file.bytes, 0);
  const folder = join(directory, 'quarantine');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(Math.max(0, RETENTION - Math.floor(bytes * 0.8))));
  return () => rmSync(ballast, { force: true });
}

/** Something damaged that was put into a directory, and must be in `quarantine/` in the end. */
export interface Planted {
  readonly bytes: Buffer;
  readonly what: string;
}

/** Puts a file into the directory that looks like a dead writer's and holds nothing that can be read. */
export function plantJunk(directory: string, random: () => number): Planted {
  const signal = SIGNALS[Math.floor(random() * SIGNALS.length)]!;
  const folder = join(directory, 'otlp', signal);
  mkdirSync(folder, { recursive: true });
  const time = new Date().toISOString().replaceAll('-', '').replaceAll(':', '');
  const name = `${time}-${randomBytes(8).toString('hex')}-00000001.arrows`;
  const bytes = randomBytes(200 + Math.floor(random() * 20_000));
  writeFileSync(join(folder, name), bytes, { mode: 0o600 });
  return { bytes, what: `${signal}/${name}` };
}

/** Adds bytes to the largest stream a dead writer left, as a write that was cut short does; `false` if there is none. */
export function tear(directory: string, random: () => number): boolean {
  const [largest] = unsealed(directory).sort((a, b) => b.bytes - a.bytes);
  if (largest === undefined || largest.bytes < 30_000) return false;
  appendFileSync(largest.path, randomBytes(1 + Math.floor(random() * 5000)));
  return true;
}

/** What is wrong in a directory that was recovered and closed in peace. */
export function unsettled(directory: string, planted: readonly Planted[]): string[] {
  const wrong = unsealed(directory).map(({ path }) => `${path} is not sealed`);
  const streams = dataFiles(directory).filter(({ name }) => name.endsWith('.arrows'));
  wrong.push(...streams.map(({ path }) => `${path} is still there`));
  const list = (folder: string) => (existsSync(join(directory, folder)) ? readdirSync(join(directory, folder)) : []);
  wrong.push(...list('tmp').map(name => `tmp/${name} is still there`));
  wrong.push(
    ...list('writers')
      .filter(name => name.endsWith('.lock') && name !== 'maintenance.lock')
      .map(name => `writers/${name} is still there`),
  );
  const aside = list('quarantine').map(name => readFileSync(join(directory, 'quarantine', name)));
  for (const { bytes, what } of planted) {
    if (!aside.some(content => content.equals(bytes))) wrong.push(`${what} is not in quarantine`);
  }
  return wrong;
}

/**
 * `npm run test:long -- waits`: while storage is away, slow, standing still or full, how long a request is held, how much
 * memory is added and how long the end takes, for each processor in three languages. It prints the table of
 * docs/adr/0014-exporters-know-who-waits.md, writes it there with OTLP_ARROW_BLESS=1, and fails where a bound is not kept.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostTriple, PYTHON, ROOT, run } from './run.js';
import { addon, addonWithFailpoints, extension, pythonEnvironment } from './setup.js';

const PROCESSORS = ['simple spans', 'simple logs', 'batch spans', 'batch logs', 'periodic metrics', 'batches of all'];

interface Measured {
  /** The longest a hundred records took, in milliseconds. */
  readonly held: number;
  /** Bytes of memory that the second half of the work added. */
  readonly grown: number;
  /** From the end of the work to the end of the process, in seconds. */
  readonly ended: number;
}

/** A state of storage: makes the directory to record into, and says what the program's environment is. */
interface Storage {
  readonly name: string;
  make(folder: string): { directory: string; env?: Record<string, string>; remove?: () => void };
}

const failpoint = (how: string) => (folder: string) => ({
  directory: join(folder, 'telemetry'),
  env: { OTLP_ARROW_FAILPOINT: `write.before:1:${how}` },
});

const STORAGES: readonly Storage[] = [
  { name: 'works', make: folder => ({ directory: join(folder, 'telemetry') }) },
  {
    name: 'away',
    make: folder => {
      writeFileSync(join(folder, 'file'), 'in the way');
      return { directory: join(folder, 'file', 'telemetry') };
    },
  },
  { name: 'full', make: full },
  { name: 'slow, 50 ms a write', make: failpoint('50ms') },
  { name: 'stands still', make: failpoint('stall') },
];

/** A volume with no room left. */
function full(folder: string): ReturnType<Storage['make']> {
  const volume = join(folder, 'volume');
  mkdirSync(volume);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', volume]);
  try {
    writeFileSync(join(volume, 'ballast'), Buffer.alloc(1 << 20));
  } catch {
    // It took what there was room for.
  }
  return { directory: volume, remove: () => execFileSync('umount', ['--lazy', volume]) };
}

/** Whether that can be had here: only root may, and not in every container. */
function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-waits-'));
  try {
    full(folder).remove?.();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measure(command: readonly string[], env: Record<string, string>): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const [file, ...args] = command;
    execFile(file!, args, { timeout: 120_000, env: { ...process.env, ...env } }, (_, stdout, stderr) => {
      const ended = Date.now();
      const line = stdout.split('\n').find(line => line.startsWith('{'));
      if (line === undefined) reject(new Error(`${command.join(' ')} measured nothing: ${stderr.slice(-2_000)}`));
      else {
        const { held, grown, done } = JSON.parse(line) as { held: number; grown: number; done: number };
        resolve({ held, grown, ended: (ended - done) / 1000 });
      }
    });
  });
}

/** On a machine that does other things too: far below what it was without bounds, where each record had its own. */
const LIMITS: Measured = { held: 1_000, grown: 64 << 20, ended: 8 };

/** Where the table stands. */
const ADR = join(ROOT, 'docs/adr/0014-exporters-know-who-waits.md');
const TABLE = /(?<=<!-- waits -->\n)[\s\S]*?(?=<!-- end of waits -->)/;

/** The programs that record, in three languages, built with failpoints. */
async function programs(): Promise<Readonly<Record<string, readonly string[]>>> {
  await pythonEnvironment();
  await extension({ failpoints: true });
  const features = ['--features', 'otlp-arrow/failpoints'];
  await run('cargo', ['build', '--quiet', '-p', 'otlp-arrow-sdk', '--example', 'waits', ...features]);
  return {
    'Node.js': [process.execPath, join(ROOT, 'test/dist/node/fixtures/waits-measured.js')],
    Python: [PYTHON, join(ROOT, 'test/python/waits_program.py')],
    Rust: [join(ROOT, `target/${hostTriple()}/debug/examples/waits`)],
  };
}

/** One program on one state of storage, and what of it is more than promised. */
async function cell(
  what: string,
  command: readonly string[],
  { name, make }: Storage,
  env: Record<string, string>,
  broken: string[],
): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-waits-'));
  const made = make(folder);
  try {
    const [program, ...args] = command;
    const of = await measure([program!, ...args.map(arg => (arg === DIRECTORY ? made.directory : arg))], {
      ...env,
      ...made.env,
    });
    for (const bound of ['held', 'grown', 'ended'] as const) {
      if (of[bound] > LIMITS[bound]) broken.push(`${what}, ${name}: ${bound} ${of[bound]}`);
    }
    return of;
  } finally {
    made.remove?.();
    rmSync(folder, { recursive: true, force: true });
  }
}

const DIRECTORY = 'DIRECTORY';

function fail(broken: readonly string[]): void {
  if (broken.length > 0) throw new Error(`longer, or more, than promised:\n${broken.join('\n')}`);
}

/** Measures each for so many seconds of work, and writes the table into the ADR where the whole of it was measured. */
export async function waits(seconds: number): Promise<void> {
  const env = { NAPI_RS_NATIVE_LIBRARY_PATH: await addonWithFailpoints() };
  await addon();
  const languages = await programs();
  const storages = STORAGES.filter(({ name }) => name !== 'full' || mayMount());
  if (storages.length < STORAGES.length) console.log('a full volume is left out: only root on Linux can mount one');

  const broken: string[] = [];
  const lines = [
    `| | | ${storages.map(({ name }) => name).join(' | ')} |`,
    `|---|---|${'---|'.repeat(storages.length)}`,
  ];
  try {
    for (const [language, command] of Object.entries(languages)) {
      for (const processor of PROCESSORS) {
        const cells: string[] = [];
        for (const storage of storages) {
          const program = [...command, DIRECTORY, processor, String(seconds)];
          const of = await cell(`${language}, ${processor}`, program, storage, env, broken);
          cells.push(`${of.held.toFixed(0)} ms, ${(of.grown / (1 << 20)).toFixed(0)} MiB, ${of.ended.toFixed(1)} s`);
        }
        lines.push(`| ${language} | ${processor} | ${cells.join(' | ')} |`);
        console.log(lines.at(-1));
      }
    }
  } finally {
    // Other runs test what is released, which has no failpoints.
    await extension();
  }
  const table = `${lines.join('\n')}\n`;
  console.log(`\n${table}`);
  if (storages.length === STORAGES.length && process.env.OTLP_ARROW_BLESS) {
    writeFileSync(
      ADR,
      readFileSync(ADR, 'utf8').replace(TABLE, () => table),
    );
  }
  fail(broken);
}

/** A share of that: what a program with all three processors takes to its end while the disk stands still or is full. */
export async function waitsShare(): Promise<void> {
  const env = { NAPI_RS_NATIVE_LIBRARY_PATH: await addonWithFailpoints() };
  const broken: string[] = [];
  try {
    const languages = await programs();
    const chosen = STORAGES.filter(({ name }) => name === 'stands still' || (name === 'full' && mayMount()));
    const runs = Object.entries(languages).flatMap(([language, command]) =>
      chosen.map(storage => cell(language, [...command, DIRECTORY, 'batches of all', '1'], storage, env, broken)),
    );
    await Promise.all(runs);
  } finally {
    await extension();
  }
  fail(broken);
}

/**
 * `npm run test:long -- waits`: while storage is away, slow, standing still or full, how long a request is held, how much
 * memory is added and how long the end takes, for each processor in three languages. It prints the table of
 * docs/adr/0014-exporters-know-who-waits.md, and fails where a bound is not kept.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostTriple, PYTHON, ROOT, run } from './run.js';
import { addon, addonWithFailpoints, extension, pythonEnvironment } from './setup.js';

const PROCESSORS = ['simple spans', 'simple logs', 'batch spans', 'batch logs', 'periodic metrics'];

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

const mayMount = (): boolean => process.platform === 'linux' && process.getuid?.() === 0;

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

/** Measures each for so many seconds of work. */
export async function waits(seconds: number): Promise<void> {
  const NAPI_RS_NATIVE_LIBRARY_PATH = await addonWithFailpoints();
  await addon();
  await pythonEnvironment();
  await extension({ failpoints: true });
  const features = ['--features', 'otlp-arrow/failpoints'];
  await run('cargo', ['build', '--quiet', '-p', 'otlp-arrow-sdk', '--example', 'waits', ...features]);
  const languages: Readonly<Record<string, readonly string[]>> = {
    'Node.js': [process.execPath, join(ROOT, 'test/dist/node/fixtures/waits-measured.js')],
    Python: [PYTHON, join(ROOT, 'test/python/waits_program.py')],
    Rust: [join(ROOT, `target/${hostTriple()}/debug/examples/waits`)],
  };
  const storages = STORAGES.filter(({ name }) => name !== 'full' || mayMount());
  if (storages.length < STORAGES.length) console.log('a full volume is left out: only root on Linux can mount one');

  const broken: string[] = [];
  console.log(`| | | ${storages.map(({ name }) => name).join(' | ')} |\n|---|---|${'---|'.repeat(storages.length)}`);
  for (const [language, command] of Object.entries(languages)) {
    for (const processor of PROCESSORS) {
      const cells: string[] = [];
      for (const { name, make } of storages) {
        const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-waits-'));
        const { directory, env, remove } = make(folder);
        try {
          const args = [...command, directory, processor, String(seconds)];
          const of = await measure(args, { NAPI_RS_NATIVE_LIBRARY_PATH, ...env });
          cells.push(`${of.held.toFixed(0)} ms, ${(of.grown / (1 << 20)).toFixed(0)} MiB, ${of.ended.toFixed(1)} s`);
          for (const what of ['held', 'grown', 'ended'] as const) {
            if (of[what] > LIMITS[what]) broken.push(`${language}, ${processor}, ${name}: ${what} ${of[what]}`);
          }
        } finally {
          remove?.();
          rmSync(folder, { recursive: true, force: true });
        }
      }
      console.log(`| ${language} | ${processor} | ${cells.join(' | ')} |`);
    }
  }
  // Other runs test what is released, which has no failpoints.
  await extension();
  if (broken.length > 0) throw new Error(`longer, or more, than promised:\n${broken.join('\n')}`);
}

/**
 * What was promised of the release: the sizes of its packages, and what an open library adds to an idle program.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PYTHON, ROOT, run, venvBin } from './run.js';
import { pythonEnvironment } from './setup.js';

const WHEEL_MB = 8;
const IDLE_MIB = 10;
/** Pairs of programs with and without a library, of which the one in the middle counts. */
const PAIRS = 5;

/** Builds every package of the release for this machine, prints sizes and idle memory, and fails where it is too much. */
export async function sizes(): Promise<void> {
  await run('npm', ['run', '--silent', 'package']);
  await pythonEnvironment();
  const out = mkdtempSync(join(tmpdir(), 'otlp-arrow-sizes-'));
  try {
    await run(venvBin('maturin'), ['build', '--release', '--quiet', '--out', out], { cwd: join(ROOT, 'python') });
    const wheel = join(out, readdirSync(out).find(name => name.endsWith('.whl'))!);
    const mb = statSync(wheel).size / 1e6;
    console.log(`${wheel}  ${mb.toFixed(1)} MB`);
    if (mb > WHEEL_MB) throw new Error(`the wheel has ${mb.toFixed(1)} MB: at most ${WHEEL_MB} are promised`);

    const probe = join(ROOT, 'test/dist/node/fixtures/idle-memory.js');
    await idle('Node.js', out, directory =>
      run(process.execPath, ['--expose-gc', probe, ...directory], { quiet: true }),
    );

    const installed = join(out, 'python');
    await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', installed, wheel], { quiet: true });
    const program = join(ROOT, 'test/python/idle_memory.py');
    await idle('Python', out, directory =>
      run(PYTHON, [program, ...directory], { quiet: true, env: { PYTHONPATH: installed } }),
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Measures pairs of programs that print their resident memory in MiB, without and with a directory to record into. */
async function idle(name: string, out: string, measure: (directory: string[]) => Promise<string>): Promise<void> {
  const more: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const without = Number(await measure([]));
    more.push(Number(await measure([join(out, `${name}-${pair}`)])) - without);
  }
  const middle = more.toSorted((a, b) => a - b)[Math.floor(PAIRS / 2)]!;
  const all = more.map(value => value.toFixed(1)).join(', ');
  console.log(`idle in ${name}: ${middle.toFixed(1)} MiB over the host's (${all})`);
  if (!(middle <= IDLE_MIB)) throw new Error(`${middle.toFixed(1)} MiB in ${name}: at most ${IDLE_MIB} are promised`);
}

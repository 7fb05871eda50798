/** What receiving and keeping a record costs, of the release binary: `crates/cli/benches/cost`. */
import { join } from 'node:path';
import { ROOT, run } from './run.js';

/** The Collector is built where Go and its modules are there; without it the table has no peer. */
async function collector(): Promise<void> {
  const directory = join(ROOT, 'bench/collector');
  try {
    await run('go', ['build', '-o', join(ROOT, 'target/collector'), '.'], { cwd: directory });
  } catch (error) {
    console.warn(`the Collector cannot be built, and is left out: ${error}`);
  }
}

/** Runs one part of the benchmark at `scale`, 1 being what issue 5 asks for. */
export async function cost(scale: number, part: 'table' | 'small' | 'idle'): Promise<void> {
  if (process.platform !== 'linux') throw new Error('the accounting of processes is read from /proc: run it on Linux');
  if (part === 'table') await collector();
  await run('cargo', ['bench', '--bench', 'cost', '--', part, '--scale', String(scale)]);
}

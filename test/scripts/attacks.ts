/** The table of attempts of test/attacks against the binary as it is built for tests; public tools in the long form. */
import { join } from 'node:path';
import { binary, ROOT, run } from './run.js';

/** Runs every attempt, so much of each; returns a reason if it cannot be tried here. */
export async function attacks(scale: number): Promise<string | undefined> {
  // Memory is read, and its peak forgotten, where only Linux has it.
  if (process.platform !== 'linux') return 'not here: the attempts read /proc';
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  await run(process.execPath, [
    join(ROOT, 'test/dist/attacks/main.js'),
    '--binary',
    binary('debug'),
    '--scale',
    String(scale),
  ]);
  return undefined;
}

/** Fuzzing of the columns and the wire by crates/columns/fuzz/run.sh, which has a workspace and a target directory of its own. */
import { join } from 'node:path';
import { ROOT, run } from './run.js';

/** Runs every target, or these, for so many seconds each; returns a reason if it cannot be tried here. */
export async function fuzz(seconds: number, targets: readonly string[] = []): Promise<string | undefined> {
  const glibc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime;
  if (process.platform !== 'linux' || process.arch !== 'x64' || !glibc)
    return 'not here: fuzzing runs on Linux x64 with glibc';
  // libFuzzer itself is C++, which libfuzzer-sys compiles; rustc brings everything else.
  const compiler = process.env.CXX ?? 'c++';
  for (const program of [compiler, 'bash']) {
    try {
      await run(program, ['--version'], { quiet: true });
    } catch {
      return `skipped: ${program} cannot be started`;
    }
  }
  await run('bash', [join(ROOT, 'crates/columns/fuzz/run.sh'), String(seconds), ...targets]);
  return undefined;
}

/** What `npm test` runs: every target for five seconds. */
export function fuzzShare(): Promise<string | undefined> {
  return fuzz(5);
}

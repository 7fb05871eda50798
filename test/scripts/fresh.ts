/** Generated files that are committed must be what their generator makes now. */
import { lockIsFresh } from './lock.js';
import { run } from './run.js';

/** Files that a build writes over, and that are committed. */
const GENERATED = ['ts/native/binding.d.cts', 'Cargo.lock'];

/** Fails naming the files that the build just changed. */
export async function freshness(): Promise<void> {
  await lockIsFresh();
  const changed = await run('git', ['status', '--porcelain', '--', ...GENERATED], { quiet: true });
  if (changed.trim() !== '') {
    await run('git', ['--no-pager', 'diff', '--stat', '--', ...GENERATED]);
    throw new Error(`generated files are stale: commit what the build wrote:\n${changed}`);
  }
}

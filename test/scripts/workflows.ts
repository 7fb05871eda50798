/** The workflows of .github, checked by actionlint where Go can run it. */
import { run } from './run.js';

const ACTIONLINT = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12';

/** Fails on what actionlint finds; says so where there is no Go. */
export async function workflows(): Promise<string | undefined> {
  try {
    await run('go', ['version'], { quiet: true });
  } catch {
    return 'skipped: actionlint needs Go, which is not installed';
  }
  await run('go', ['run', ACTIONLINT]);
  return undefined;
}

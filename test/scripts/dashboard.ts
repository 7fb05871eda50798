/** The dashboard in a real browser: `test/dashboard`, on the demo's data. Screenshots are in target/dashboard. */
import { join } from 'node:path';
import { chromium } from './chromium.js';
import { ROOT, run } from './run.js';
import { everythingRan } from './skips.js';

export async function dashboardTests(...words: string[]): Promise<string | undefined> {
  const browser = await chromium();
  if (browser === undefined) return 'skipped: there is no Chromium (Debian: apt-get install chromium)';
  const config = join(ROOT, 'test/dashboard/vitest.config.mts');
  everythingRan(
    await run('npx', ['--no-install', 'vitest', 'run', '--config', config, ...words], { env: { CHROMIUM: browser } }),
  );
  return undefined;
}

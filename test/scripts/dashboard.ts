/**
 * The dashboard in a real browser: `test/dashboard`, on the demo's data. Screenshots are in target/dashboard; a few of them are in
 * docs/dashboard with the hash of the sources that they are of:
 *
 *     OTLP_ARROW_BLESS=1 npm test -- "dashboard in a browser"
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from './chromium.js';
import { ROOT, run } from './run.js';
import { everythingRan } from './skips.js';

const SHOTS = join(ROOT, 'target/dashboard');
const PICTURES = join(ROOT, 'docs/dashboard');
/** Those that docs/dashboard.md and the README show. */
const SHOWN = ['overview-light.png', 'traces-light.png', 'trace-shop-dark.png'];
const MOST_BYTES = 250_000;

export async function dashboardTests(): Promise<string | undefined> {
  const browser = await chromium();
  if (browser === undefined) return 'skipped: there is no Chromium (Debian: apt-get install chromium)';
  const config = join(ROOT, 'test/dashboard/vitest.config.mts');
  const env = { CHROMIUM: browser };
  everythingRan(await run('npx', ['--no-install', 'vitest', 'run', '--config', config], { env }));
  pictures();
  return undefined;
}

/** Fails where the pictures in the documentation are of other sources, or too large; takes them over where that is wanted. */
function pictures(): void {
  const hash = `${sources()}\n`;
  const file = join(PICTURES, 'sources.sha256');
  if ((process.env.OTLP_ARROW_BLESS ?? '') !== '') {
    mkdirSync(PICTURES, { recursive: true });
    for (const name of SHOWN) copyFileSync(join(SHOTS, name), join(PICTURES, name));
    writeFileSync(file, hash);
  }
  for (const name of SHOWN) {
    const { size } = statSync(join(PICTURES, name));
    if (size > MOST_BYTES) throw new Error(`docs/dashboard/${name} has ${size} bytes: at most ${MOST_BYTES}`);
  }
  if (!existsSync(file) || readFileSync(file, 'utf8') !== hash) {
    throw new Error(
      'the pictures in docs/dashboard are of other sources: OTLP_ARROW_BLESS=1 npm test -- "dashboard in a browser"',
    );
  }
}

/** A number of everything that the pages are made of. */
function sources(): string {
  const folder = join(ROOT, 'ts/dashboard/src');
  const names = (readdirSync(folder, { recursive: true }) as string[]).map(name => name.replaceAll('\\', '/'));
  const hash = createHash('sha256');
  for (const name of names.filter(name => /\.(?:tsx?|css)$/.test(name)).sort()) {
    hash.update(name).update(readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n'));
  }
  return hash.digest('hex');
}

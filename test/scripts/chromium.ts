/** A Chromium for the tests of the dashboard: one that is there, or Debian's by apt-get. */
import { existsSync } from 'node:fs';
import { run } from './run.js';

/** Where browsers are that Chromium's protocol speaks to; hosted runners bring one of them. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
];

/** The program, installed where that can be done; undefined where there is none. `CHROMIUM` names another one. */
export async function chromium(): Promise<string | undefined> {
  const found = [process.env.CHROMIUM ?? '', ...PLACES].find(place => place !== '' && existsSync(place));
  if (found !== undefined || !existsSync('/usr/bin/apt-get')) return found;
  const root = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive'];
  const apt = (...args: string[]) => {
    const [program, ...rest] = [...root, 'apt-get', ...args];
    return run(program!, rest, { quiet: true, env: { DEBIAN_FRONTEND: 'noninteractive' } });
  };
  try {
    await apt('update', '-qq');
    // With fonts, without which a page has no text; lists and recommended packages are left out.
    await apt('install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-liberation');
  } catch (error) {
    console.log(`Chromium could not be installed: ${error instanceof Error ? error.message : error}`);
  }
  return PLACES.find(place => existsSync(place));
}

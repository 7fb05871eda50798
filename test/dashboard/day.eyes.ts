/**
 * Every page over a recording of a day (`npm run test:long -- eyes`): each is drawn, quiet, and holds no more rows than are in sight.
 * `EYES_DIRECTORY` is the recording, `EYES_SPANS` how many spans it has.
 */
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ended, said, start } from './setup.js';
import { settled, type Tab, tab, useBrowser } from './support.js';

useBrowser();

const directory = process.env.EYES_DIRECTORY!;
const SPANS = Number(process.env.EYES_SPANS);
/** More than fits on any screen, and far fewer than there are. */
const MOST_ROWS = 200;

let viewer: ChildProcess;
let origin: string;

beforeAll(async () => {
  viewer = start('ui', directory, '--no-open', '--port', '0');
  [, origin] = (await said(viewer, /(http:\/\/[\d.]+:\d+)\//)) as unknown as [string, string];
  viewer.stdout!.resume();
});
afterAll(async () => {
  viewer.kill('SIGINT');
  await ended(viewer);
});

/** Goes there and tells how long it took until everything was drawn. */
async function timed({ page }: Tab, path: string): Promise<number> {
  const began = performance.now();
  await page.goto(`${origin}/ui/${path}`);
  await settled(page);
  return performance.now() - began;
}

test('every page over a whole day', async () => {
  const of = await tab();
  const { page, complaints } = of;
  const times: [string, number][] = [];
  for (const path of [
    'overview?from=all',
    'traces?from=all',
    'logs?from=all&live=off',
    'logs?from=all&live=off&text=timeout',
    'metrics?from=all',
    'errors?from=all',
    'map?from=all',
    'recorder',
    'compare?a=service=checkout&b=service=cart',
    'genai?from=all',
  ]) {
    times.push([path, await timed(of, path)]);
    expect({ path, wrong: await page.locator('.state.wrong').allInnerTexts() }).toEqual({ path, wrong: [] });
    expect(await page.locator('.row, tbody tr').count()).toBeLessThan(
      MOST_ROWS + 400 * Number(path.startsWith('compare')),
    );
  }
  console.log(times.map(([path, ms]) => `${path.padEnd(44)} ${Math.round(ms).toString().padStart(6)} ms`).join('\n'));
  expect(complaints).toEqual([]);
  const { total } = (await (await fetch(`${origin}/api/v1/traces/counts`)).json()) as { total: number };
  expect(total).toBe(SPANS);
});

test('a trace of the day is opened from the list, and its logs from there', async () => {
  const of = await tab();
  const { page } = of;
  await timed(of, 'traces?from=all&status=error');
  const link = page.locator('.list .row a').first();
  const href = (await link.getAttribute('href'))!;
  await page.goto(origin + href);
  await settled(page);
  await page.locator('[role=treegrid] [role=row]').first().waitFor();
  const id = /[0-9a-f]{32}/.exec(href)![0];
  await timed(of, `logs?from=all&live=off&trace=${id}`);
  for (const other of await page
    .locator('.to-trace')
    .evaluateAll(links => links.map(link => (link as HTMLAnchorElement).href)))
    expect(other).toContain(id);
});

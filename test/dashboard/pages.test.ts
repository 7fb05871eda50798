/** Logs, metrics, errors, map, recorder, comparisons and conversations as a person sees them: in both themes, narrow, by axe, by the keyboard alone. */
import { expect, test } from 'vitest';
import { axe } from './axe.js';
import { at, quiet, shot, useBrowser } from './support.js';
import { drawer, traces, visitor } from './visit.js';

useBrowser();

const PAGES: readonly (readonly [name: string, path: string])[] = [
  ['logs', 'logs?live=off'],
  ['logs-wrapped', 'logs?live=off&wrap=on&severity=>=warn'],
  ['metrics', 'metrics'],
  ['metrics-quantiles', 'metrics/http.server.request.duration'],
  ['metrics-heat', 'metrics/http.server.request.duration?show=buckets'],
  ['metrics-split', 'metrics/http.server.requests?split=attr:http.route'],
  ['metrics-table', 'metrics/http.server.requests?split=attr:http.route&view=table'],
  ['errors', 'errors'],
  ['map', 'map'],
  ['map-node', 'map?node=checkout'],
  ['map-table', 'map?view=table'],
  ['recorder', 'recorder'],
  ['compare', 'compare'],
  ['compare-runs', 'compare?a=resource=ci.run.id=41&b=resource=ci.run.id=42'],
  ['compare-traces', `compare?a=${traces.before}&b=${traces.after}`],
  ['conversations', 'genai'],
  ['conversation', `genai/${traces.conversation}`],
  // Nothing to see, and what is wrong.
  ['logs-none', 'logs?text=there-is-no-such-text'],
  ['metrics-none', 'metrics?from=2020-01-01&to=2020-01-02'],
  ['metrics-gone', 'metrics/there.is.no.such.metric'],
  ['errors-none', 'errors?from=2020-01-01&to=2020-01-02'],
  ['map-none', 'map?from=2020-01-01&to=2020-01-02'],
  ['conversations-none', 'genai?from=2020-01-01&to=2020-01-02'],
  ['logs-wrong', 'logs?regex=(unclosed'],
  ['compare-wrong', 'compare?a=servce=x&b=-1h..'],
];

test.each(['light', 'dark'] as const)(
  'every page in the %s theme: looked at by axe, quiet, without a violation of the policy, and never wider than the window',
  async theme => {
    const tested = await visitor({ colorScheme: theme, bypassCSP: true });
    const guarded = await visitor({ colorScheme: theme });
    const problems: string[] = [];
    for (const [name, path] of PAGES) {
      await tested.go(path);
      problems.push(...(await axe(tested.page)).map(problem => `${path}: ${problem}`));
      await guarded.go(path);
      await shot(guarded.page, `${name}-${theme}`);
      if (theme === 'dark') continue;
      await guarded.page.setViewportSize({ width: 900, height: 800 });
      await shot(guarded.page, `${name}-900`);
      const wide = await guarded.page.evaluate(() => {
        const main = document.querySelector('main')!;
        return document.documentElement.scrollWidth > innerWidth || main.scrollWidth > main.clientWidth;
      });
      if (wide) problems.push(`${path}: wider than 900 pixels`);
      await guarded.page.setViewportSize({ width: 1280, height: 800 });
    }
    expect(problems).toEqual([]);
    // What a question is refused with is a line of the browser's own.
    guarded.complaints.splice(0, Infinity, ...guarded.complaints.filter(text => !/status of 400/.test(text)));
    quiet(guarded);
    expect(await guarded.page.evaluate(() => (window as { harmed?: number }).harmed)).toBeUndefined();
  },
  300_000,
);

test('drawers of logs and errors are clean, too', async () => {
  const { page, go } = await visitor({ bypassCSP: true });
  for (const path of ['logs?live=off&severity=>=error', 'errors']) {
    await go(path);
    await page.locator('.list .row').first().click();
    await drawer(page).locator('.facts').first().waitFor();
    expect({ path, problems: await axe(page) }).toEqual({ path, problems: [] });
    await shot(page, `${path.split('?')[0]}-drawer`);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
  }
});

test('the whole tour by the keyboard', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('overview');
  for (const [keys, path] of [
    ['gl', 'logs'],
    ['gm', 'metrics'],
    ['ge', 'errors'],
    ['ga', 'map'],
    ['gr', 'recorder'],
  ] as const) {
    for (const key of keys) await page.keyboard.press(key);
    await at(page, new RegExp(`/ui/${path}`));
    await page.locator('main h1').waitFor();
  }
  await page.keyboard.press('g');
  await page.keyboard.press('l');
  const list = page.getByRole('grid', { name: 'Log records' });
  await list.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('j');
  await at(page, /log=/);
  await page.keyboard.press('Escape');
  await page.waitForURL(url => !url.search.includes('log='));
  await page.keyboard.press('?');
  await page.getByText('Break long lines, or not').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('m');
  await page.locator('.metric-list .row').first().waitFor();
  await page.keyboard.press('j');
  await at(page, /\/ui\/metrics\/.+/);
  // The chart takes its keys once it is there.
  await page.locator('.legend tbody tr').first().waitFor();
  await page.keyboard.press('v');
  await at(page, /view=table/);
  await page.keyboard.press('V');
  await page.getByLabel('Name of this view').waitFor();
  quiet(tab);
});

/** What is around every page: range, services, search, theme, keys, live, links; and what must be clean on all of them. */

import { expect, test } from 'vitest';
import { axe } from './axe.js';
import { CONVERSATION, HOSTILE, NESTED, spans } from './data.js';
import { send } from './setup.js';
import { at, origin, query, quiet, settled, shot, tab, tabIn, useBrowser } from './support.js';

useBrowser();

/** The pages of the frame's own, as deep links. */
const PAGES: readonly (readonly [name: string, path: string])[] = [
  ['overview', 'overview'],
  ['traces', 'traces'],
  ['traces-durations', 'traces?view=scatter&service=frontend'],
  ['traces-chosen', `traces?trace=${NESTED}`],
  ['trace', `trace/${NESTED}`],
  ['trace-span', `trace/${NESTED}?span=a000000000000006&path=critical`],
  ['trace-flame', `trace/${NESTED}?view=flame`],
  ['trace-hostile', `trace/${HOSTILE}?span=bad0000000000001`],
  ['trace-conversation', `trace/${CONVERSATION}`],
  ['nothing-found', 'traces?text=there-is-no-such-text'],
  ['no-such-trace', 'trace/00000000000000000000000000000001'],
  ['no-such-page', 'nowhere'],
  ['wrong-word', 'traces?min_duration=soon'],
];

test.each(['light', 'dark'] as const)(
  'every page in the %s theme: looked at by axe, quiet, and without a violation of the policy',
  async theme => {
    const pages = await tab({ colorScheme: theme, bypassCSP: true });
    const guarded = await tab({ colorScheme: theme });
    // A purchase that failed, with the span that did.
    const { spans: failed } = (await (
      await fetch(`${origin}/api/v1/spans?service=payment&status=error&limit=1`)
    ).json()) as { spans: { trace_id: string; span_id: string }[] };
    const shop = ['trace-shop', `trace/${failed[0]!.trace_id}?span=${failed[0]!.span_id}`] as const;
    for (const [name, path] of [...PAGES, shop]) {
      await pages.go(path);
      expect({ path, problems: await axe(pages.page) }).toEqual({ path, problems: [] });
      await guarded.go(path);
      await shot(guarded.page, `${name}-${theme}`);
      if (theme === 'light') {
        await guarded.page.setViewportSize({ width: 900, height: 800 });
        await shot(guarded.page, `${name}-900`);
        const wide = await guarded.page.evaluate(
          () =>
            document.documentElement.scrollWidth > innerWidth ||
            document.querySelector('main')!.scrollWidth > document.querySelector('main')!.clientWidth,
        );
        expect({ path, wide }).toEqual({ path, wide: false });
        await guarded.page.setViewportSize({ width: 1280, height: 800 });
      }
    }
    // What a question is refused with is a line of the browser's own.
    guarded.complaints.splice(0, Infinity, ...guarded.complaints.filter(text => !/status of 400/.test(text)));
    quiet(guarded);
    expect(await guarded.page.evaluate(() => (window as { harmed?: number }).harmed)).toBeUndefined();
  },
  400_000,
);

test('text of telemetry is shown as it is and does nothing', async () => {
  const { page, go, complaints } = await tab();
  await go(`trace/${HOSTILE}?span=bad0000000000001`);
  await page.getByRole('complementary', { name: 'Details' }).getByText('javascript:alert(1)').waitFor();
  expect(await page.locator('main img, main script').count()).toBe(0);
  expect(await page.locator('.drawer a[href^="javascript"]').count()).toBe(0);
  expect(await page.locator('.drawer a[href="https://example.com/a?b=c"]').getAttribute('rel')).toContain('noreferrer');
  const text = await page.locator('main').innerText();
  expect(text).toContain('<img src=x onerror=');
  // What would turn the line around is told by its number.
  expect(text).toContain('⟨U+202E⟩');
  expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b]/);
  expect(await page.evaluate(() => (window as { harmed?: number }).harmed)).toBeUndefined();
  expect(complaints).toEqual([]);
});

test('the range of time is chosen by a name or by two times, is in the URL, and goes with every page', async () => {
  const { page, go } = await tab();
  await go('overview');
  await page.getByRole('button', { name: 'Last 1 hour' }).click();
  await page.getByRole('button', { name: 'Last 15 minutes' }).click();
  await at(page, /from=-15m/);
  await page.getByRole('link', { name: 'Traces' }).click();
  await at(page, /\/ui\/traces\?from=-15m/);
  await page.getByRole('button', { name: 'Last 15 minutes' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('From').fill('soon');
  await dialog.getByRole('button', { name: 'Use this range' }).click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('From').fill('2020-01-02 03:04');
  await dialog.getByLabel('To').fill('2020-01-02 05:00');
  await dialog.getByRole('button', { name: 'Use this range' }).click();
  await at(page, /from=1577934240000000000&to=1577941200000000000/);
  await page.getByText('No trace matches').waitFor();
  await page.getByRole('button', { name: /2020-01-02 03:04 to 2020-01-02 05:00/ }).waitFor();
  expect(await page.locator('.live').innerText()).toContain('Fixed');
  await page.goBack();
  await at(page, /from=-15m/);
  await page.locator('.list .row').first().waitFor();
});

test('services are picked, and hold on all pages', async () => {
  const { page, go } = await tab();
  await go('traces');
  await page.getByRole('button', { name: 'All services' }).click();
  await page.getByPlaceholder('Find a service').fill('pay');
  await page
    .locator('.menu')
    .getByRole('button', { name: /^payment/ })
    .waitFor();
  await page.keyboard.press('Enter');
  await at(page, /service=payment/);
  await settled(page);
  await page.getByRole('link', { name: 'Overview' }).click();
  await at(page, /\/ui\/overview\?service=payment/);
  await expect.poll(() => page.locator('tbody tr').count()).toBe(1);
});

test('the search finds a text, a regular expression, and a trace by the beginning of its id', async () => {
  const { page, go } = await tab();
  await go('overview');
  await page.keyboard.press('/');
  await page.keyboard.type('needle-7f3a');
  await page.keyboard.press('Enter');
  await at(page, /\/ui\/traces\?text=needle-7f3a/);
  await expect.poll(() => page.locator('.list .row').count()).toBe(1);
  await page.locator('#search').fill('/template m[a-z]+ing/');
  await page.keyboard.press('Enter');
  await expect.poll(() => query(page).get('regex')).toBe('template m[a-z]+ing');
  await expect.poll(() => page.locator('.list .row').count()).toBe(1);
  await page.locator('#search').fill(NESTED.slice(0, 12));
  await page.keyboard.press('Enter');
  await at(page, /\/ui\/trace\/feed0000feed/);
  await page.getByRole('heading', { name: 'GET /report' }).waitFor();
});

test('light and dark are a key away and are remembered; service colours are the same on every page', async () => {
  const { page, go } = await tab({ colorScheme: 'dark' });
  await go('overview');
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  expect(await theme()).toBe('dark');
  await page.keyboard.press('Shift+T');
  expect(await theme()).toBe('light');
  await page.reload();
  await settled(page);
  expect(await theme()).toBe('light');
  const hue = () =>
    page
      .locator('.service', { hasText: 'frontend' })
      .first()
      .evaluate(element => (element as HTMLElement).style.getPropertyValue('--hue'));
  const first = await hue();
  await go('traces?service=frontend');
  expect(await hue()).toBe(first);
  expect(Number(first)).toBeGreaterThan(45);
});

test('the whole tour by keyboard', async () => {
  const { page, go, complaints } = await tab();
  await go('overview');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  expect(await page.getByRole('dialog', { name: 'Keys' }).innerText()).toContain('Go to Traces');
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('t');
  await at(page, /\/ui\/traces/);
  await settled(page);
  await page.getByRole('grid', { name: 'Traces' }).focus();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await at(page, /trace=[0-9a-f]{32}/);
  const chosen = query(page).get('trace');
  await page.keyboard.press('Enter');
  await at(page, new RegExp(`/ui/trace/${chosen}`));
  await settled(page);
  await page.getByRole('treegrid', { name: 'Spans' }).focus();
  await page.keyboard.press('ArrowDown');
  await at(page, /span=/);
  await page.getByRole('complementary', { name: 'Details' }).waitFor();
  await page.keyboard.press('Escape');
  await expect.poll(() => page.getByRole('complementary', { name: 'Details' }).count()).toBe(0);
  await page.keyboard.press('/');
  await page.keyboard.type('charge');
  await expect.poll(() => query(page).get('find')).toBe('charge');
  await page.keyboard.press('Enter');
  await at(page, /span=/);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('o');
  await at(page, /\/ui\/overview/);
  // Everything that takes the focus shows that it has it.
  await settled(page);
  await page.keyboard.press('Tab');
  for (let i = 0; i < 12; i += 1) {
    const outline = await page.evaluate(() => {
      const element = document.activeElement!;
      const around = element.closest('.search') ?? element;
      return getComputedStyle(element).outlineStyle !== 'none' || getComputedStyle(around).outlineStyle !== 'none'
        ? ''
        : element.outerHTML.slice(0, 200);
    });
    expect(outline).toBe('');
    await page.keyboard.press('Tab');
  }
  expect(complaints).toEqual([]);
});

test('the overview says how services do, and leads to their traces', async () => {
  const { page, go } = await tab();
  await go('overview');
  const row = page.locator('tbody tr', { hasText: 'checkout' });
  expect(await row.innerText()).toMatch(/\d+(?:\.\d+)?\/(?:s|min|h)[\s\S]*%[\s\S]*(?:ms|s)/);
  await page.getByRole('button', { name: 'Errors' }).click();
  await at(page, /sort=-errors/);
  const shares = await page.locator('tbody tr td:nth-child(4)').allInnerTexts();
  const numbers = shares.map(text => Number.parseFloat(text.replace('<', '')));
  expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
  expect(await page.getByRole('region', { name: 'Recorder' }).innerText()).toMatch(/Spans[\s\S]*MiB[\s\S]*Log records/);
  await row.getByRole('link', { name: 'checkout' }).click();
  await at(page, /\/ui\/traces\?service=checkout/);
  expect(origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

test('a page that nobody touches costs next to nothing', async () => {
  const { page, context, go } = await tab({ reducedMotion: 'no-preference' });
  await go(`trace/${NESTED}?live=off`);
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  const figure = async (name: string) => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(metric => metric.name === name)!.value;
  };
  const before = { busy: await figure('TaskDuration'), layouts: await figure('LayoutCount') };
  const began = performance.now();
  // Frames are counted over as many seconds as a machine that is busy takes: none is asked for.
  await page.waitForFunction(since => performance.now() - since > 3_000, await page.evaluate(() => performance.now()), {
    polling: 1_000,
  });
  const busy = (await figure('TaskDuration')) - before.busy;
  expect(busy / ((performance.now() - began) / 1000)).toBeLessThan(0.2);
  expect((await figure('LayoutCount')) - before.layouts).toBeLessThan(20);
  expect(
    await page.evaluate(() => document.getAnimations().filter(animation => animation.playState === 'running').length),
  ).toBe(0);
});

test('what the first page loads is within its bound, is kept by the browser, and needs no other machine', async () => {
  const { page, go, context } = await tab();
  const bodies: { url: string; bytes: number; cached: boolean }[] = [];
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  const urls = new Map<string, string>();
  session.on('Network.responseReceived', ({ requestId, response }) => urls.set(requestId, response.url));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const url = urls.get(requestId) ?? '';
    if (!url.includes('/api/')) bodies.push({ url, bytes: encodedDataLength, cached: encodedDataLength === 0 });
  });
  await go('overview');
  const bytes = bodies.reduce((sum, body) => sum + body.bytes, 0);
  expect(bodies.length).toBeGreaterThan(3);
  expect(bodies.every(({ url }) => url.startsWith(origin))).toBe(true);
  expect(bytes).toBeLessThan(60 * 1024);
  console.log(`the first page: ${(bytes / 1024).toFixed(1)} KiB in ${bodies.length} files`);
  bodies.length = 0;
  await go('traces');
  expect(bodies.filter(({ url, bytes }) => /\/app-\w+\.js$/.test(url) && bytes > 0)).toEqual([]);
});

test('new traces are counted while something is chosen, and shown when somebody wants them; paused, nothing comes', async () => {
  const { page, go } = await tab();
  const fresh = (id: string) =>
    send(
      origin,
      'traces',
      spans('arrival', id.padEnd(32, '0'), BigInt(Date.now()) * 1_000_000n - 1_000_000n, [
        { id: `${id}00000001`.slice(0, 16).padEnd(16, '0'), name: `arrival ${id}`, at: 0, took: 1e6, kind: 2 },
      ]),
    );
  await fresh('aa01aa01');
  await go('traces?service=arrival');
  await expect.poll(() => page.locator('.list .row').count()).toBe(1);
  await page.locator('.list .row .time').first().click();
  await at(page, /trace=aa01aa01/);
  await expect
    .poll(
      async () => {
        await fresh(
          `aa02${Math.floor(Math.random() * 0xffff)
            .toString(16)
            .padStart(4, '0')}`,
        );
        return page.locator('.pill').count();
      },
      { interval: 1_000 },
    )
    .toBe(1);
  expect(await page.locator('.pill').innerText()).toMatch(/^\d+ new$/);
  const before = await page.locator('.list .row').count();
  await page.locator('.pill').click();
  await expect.poll(() => page.locator('.list .row').count()).toBeGreaterThan(before);
  await page.keyboard.press('p');
  await at(page, /live=off/);
  expect(await page.locator('.live').innerText()).toContain('Paused');
});

test('tabs of one browser share the connection of a tail', async () => {
  const first = await tab();
  const path = `traces?service=sharing&trace=${NESTED}`;
  const asked: string[] = [];
  const arrive = (id: string) =>
    send(
      origin,
      'traces',
      spans('sharing', id.padEnd(32, '0'), BigInt(Date.now()) * 1_000_000n, [
        { id: id.padEnd(16, '0'), name: 'shared', at: 0, took: 1e6, kind: 2 },
      ]),
    );
  await arrive('cc01cc01');
  const second = await tabIn(first.context);
  for (const { page } of [first, second])
    page.on('request', request => request.url().includes('/tail/') && asked.push(request.url()));
  await first.go(path);
  await expect.poll(() => asked.length).toBe(1);
  await second.go(path);
  // Both hear of it, over the one connection that there is.
  await expect
    .poll(
      async () => {
        await arrive(
          `bb${Math.floor(Math.random() * 0xffffff)
            .toString(16)
            .padStart(6, '0')}`,
        );
        return [await first.page.locator('.pill').count(), await second.page.locator('.pill').count()];
      },
      { interval: 1_000 },
    )
    .toEqual([1, 1]);
  expect(asked.length).toBe(1);
  await first.page.close();
  await expect.poll(() => asked.length).toBe(2);
});

test('who has ended is told, and asked again', async () => {
  const { page, go, complaints } = await tab();
  await go('overview');
  await page.route('**/api/v1/**', route => route.abort('connectionrefused'));
  await page.getByRole('link', { name: 'Traces' }).click();
  await page.getByText('Nobody answers').first().waitFor();
  await shot(page, 'nobody-answers-light');
  await page.unroute('**/api/v1/**');
  await page.getByRole('button', { name: 'Ask again' }).first().click();
  await page.locator('.list .row').first().waitFor();
  expect(complaints.filter(text => !/ERR_CONNECTION_REFUSED|Failed to load/.test(text))).toEqual([]);
});

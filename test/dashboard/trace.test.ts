/** One trace, as a person works with it: finds, folds, looks closer, copies, goes on. */
import { describe, expect, test } from 'vitest';
import { LARGE, LARGE_SPANS, NESTED } from './data.js';
import { at, query, quiet, settled, tab, useBrowser } from './support.js';

useBrowser();

const names = (page: import('playwright-core').Page) => page.locator('.waterfall .row .name').allInnerTexts();
const rows = (page: import('playwright-core').Page) => page.locator('.waterfall .row');

describe('find', () => {
  test('by the value of an attribute: those above are kept, the others are not shown', async () => {
    const { page, go } = await tab();
    await go(`trace/${NESTED}`);
    expect(await names(page)).toHaveLength(7);
    await page.locator('#find').fill('NEEDLE');
    await expect.poll(() => names(page)).toEqual(['GET /report', 'load accounts', 'SELECT accounts', 'fetch page']);
    expect(await page.locator('.row.found .name').allInnerTexts()).toEqual(['fetch page']);
    await page.locator('#find').fill('/sel.ct \\* from/');
    await expect.poll(() => page.locator('.row.found .name').allInnerTexts()).toEqual(['SELECT accounts']);
    await page.locator('#find').fill('nothing like it');
    await page.getByText('No span matches').waitFor();
  });

  test('by name: n and N go round, and the URL has what is chosen', async () => {
    const { page, go } = await tab();
    await go(`trace/${NESTED}?find=load`);
    await expect
      .poll(() => page.locator('.row.found .name').allInnerTexts())
      .toEqual(['load accounts', 'load template']);
    await page.getByRole('treegrid', { name: 'Spans' }).focus();
    const press = async (key: string, id: string) => {
      await page.keyboard.press(key);
      await expect.poll(() => query(page).get('span')).toBe(id);
    };
    await press('n', 'a000000000000002');
    await press('n', 'a000000000000007');
    await press('n', 'a000000000000002');
    await press('Shift+N', 'a000000000000007');
    await expect.poll(() => page.locator('.find [role=status]').innerText()).toBe('2/2');
  });

  test('what the drawer has is filtered by, in and out', async () => {
    const { page, go } = await tab();
    await go(`trace/${NESTED}?span=a000000000000003`);
    const value = page.locator('.drawer .attribute', { hasText: 'db.rows' });
    await value.hover();
    await value.getByRole('button', { name: 'Only db.rows = 12' }).click();
    await at(page, /attr=db\.rows=12/);
    await expect.poll(() => names(page)).toEqual(['GET /report', 'load accounts', 'SELECT accounts']);
    await page.getByRole('button', { name: /Remove the filter .*db\.rows=12/ }).click();
    await expect.poll(() => names(page)).toHaveLength(7);
    await page.getByTitle('Only the spans that failed').click();
    await expect.poll(() => page.locator('.row.found .name').allInnerTexts()).toEqual(['render']);
  });
});

describe('fold', () => {
  test('a span by its arrow and by the keyboard, all by level; a link restores it', async () => {
    const { page, go } = await tab();
    await go(`trace/${NESTED}`);
    await page.locator('.row', { hasText: 'load accounts' }).getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => names(page)).toEqual(['GET /report', 'load accounts', 'render', 'load template']);
    expect(await page.locator('.row', { hasText: 'load accounts' }).getAttribute('aria-expanded')).toBe('false');
    expect(await page.locator('.row', { hasText: 'load accounts' }).innerText()).toContain('+3');
    await page.keyboard.press('2');
    await at(page, /level=2/);
    await expect.poll(() => names(page)).toEqual(['GET /report', 'load accounts', 'render']);
    await page.getByRole('treegrid', { name: 'Spans' }).focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => names(page)).toEqual(['GET /report', 'load accounts', 'render', 'load template']);
    const link = page.url();
    await page.keyboard.press('e');
    await expect.poll(() => names(page)).toHaveLength(7);
    await page.keyboard.press('1');
    await expect.poll(() => names(page)).toEqual(['GET /report']);
    await page.goto(link);
    await settled(page);
    expect(await names(page)).toEqual(['GET /report', 'load accounts', 'render', 'load template']);
    expect(await page.locator('.row[aria-selected=true] .name').innerText()).toBe('render');
  });

  test('a span as the root, and the whole again', async () => {
    const { page, go } = await tab();
    await go(`trace/${NESTED}?span=a000000000000002`);
    await page.getByRole('button', { name: 'Show this span as the root' }).click();
    await at(page, /focus=a000000000000002/);
    await expect.poll(() => names(page)).toEqual(['load accounts', 'SELECT accounts', 'fetch page', 'decode rows']);
    expect(await rows(page).first().getAttribute('aria-level')).toBe('1');
    // Its bar is the whole width.
    const [bar, cell] = await Promise.all(
      ['.span-bar', '.time-cell'].map(part => rows(page).first().locator(part).boundingBox()),
    );
    expect(bar!.width).toBeGreaterThan(cell!.width * 0.98);
    await page.keyboard.press('u');
    await expect.poll(() => names(page)).toHaveLength(7);
  });
});

test('a part of the time is dragged in the minimap, moved by keys, and is in the URL', async () => {
  const { page, go } = await tab();
  await go(`trace/${NESTED}`);
  const map = (await page.locator('.minimap').boundingBox())!;
  await page.mouse.move(map.x + map.width * 0.5, map.y + 20);
  await page.mouse.down();
  await page.mouse.move(map.x + map.width * 0.75, map.y + 20, { steps: 4 });
  await page.mouse.up();
  await at(page, /zoom=\d+-\d+/);
  const [from, to] = query(page).get('zoom')!.split('-').map(Number);
  expect(Math.abs(from! - 50e6)).toBeLessThan(2e6);
  expect(Math.abs(to! - 75e6)).toBeLessThan(2e6);
  expect(await page.locator('.time-axis .tick').first().innerText()).toMatch(/5\d ms/);
  await page.locator('.minimap').focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => Number(query(page).get('zoom')!.split('-')[0])).toBeGreaterThan(from!);
  await page.keyboard.press('0');
  await expect.poll(() => query(page).get('zoom')).toBeNull();
});

test('the critical path is what the end waited for; the flame graph has the self time of operations', async () => {
  const { page, go } = await tab();
  await go(`trace/${NESTED}`);
  await page.getByRole('button', { name: 'Critical path' }).click();
  await at(page, /path=critical/);
  const on = await page.locator('.row:has(.critical) .name').allInnerTexts();
  expect(on).toEqual([
    'GET /report',
    'load accounts',
    'SELECT accounts',
    'fetch page',
    'decode rows',
    'render',
    'load template',
  ]);
  // Of the root what no child covers: 0 to 5, 45 to 50 and 95 to 100 ms.
  expect(await rows(page).first().locator('.critical').count()).toBe(3);
  await page.getByRole('button', { name: 'Flame graph' }).click();
  await at(page, /view=flame/);
  const cells = page.locator('tbody tr', { hasText: 'render' }).locator('td');
  expect(await cells.allInnerTexts()).toEqual(['render', 'nesting', '25 ms', '25 %', '45 ms', '1', '1']);
  await page.locator('.flame').click({ position: { x: 5, y: 5 } });
  await at(page, /span=a000000000000001/);
});

test('the drawer never covers the list, has everything, and copies', async () => {
  const tabbed = await tab();
  const { page, go } = tabbed;
  await go(`trace/${NESTED}?span=a000000000000006`);
  const drawer = page.getByRole('complementary', { name: 'Details' });
  await drawer.getByText('template missing').first().waitFor();
  const [list, box] = await Promise.all([page.locator('.waterfall').boundingBox(), drawer.boundingBox()]);
  expect(list!.x + list!.width).toBeLessThanOrEqual(box!.x + 1);
  const text = await drawer.innerText();
  for (const part of ['TemplateError', 'at render (report.ts:12:3)', 'service.name', '25 ms in itself', '+60 ms'])
    expect(text).toContain(part);
  await drawer.getByRole('button', { name: 'Copy the span id' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('a000000000000006');
  await drawer.getByRole('button', { name: 'Copy this span and what is below it as text' }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/2 spans|render[\s\S]*load template/);
  await drawer.getByRole('button', { name: 'Show JSON' }).click();
  const raw = JSON.parse(await drawer.locator('pre').last().innerText());
  expect(raw.span).toMatchObject({ span_id: 'a000000000000006', name: 'render', duration: 45_000_000 });
  await page.getByRole('button', { name: 'Copy as text, for an agent or a ticket' }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/^trace feed0000feed[\s\S]*7 spans[\s\S]*ERROR[\s\S]*load template/);
  quiet(tabbed);
});

test('logs of a span are in its drawer, and lead to all of them', async () => {
  const { page, go } = await tab();
  // The demo's payments log.
  await go('traces?service=payment&status=error');
  await page.locator('.list .row a').first().click();
  await at(page, /\/ui\/trace\//);
  await settled(page);
  const marked = page.locator('.row:has(.log)').first();
  await marked.locator('.tree-cell').click();
  const drawer = page.getByRole('complementary', { name: 'Details' });
  await drawer.getByText('Logs of this span').waitFor();
  expect(await drawer.locator('.span-logs li').count()).toBeGreaterThan(0);
  expect(await drawer.getByRole('link', { name: 'All of them' }).getAttribute('href')).toMatch(
    /\/ui\/logs\?.*trace=[0-9a-f]{32}.*span=[0-9a-f]{16}/,
  );
});

test('50,000 spans: a screen of rows is in the document, and the last one is a key away', async () => {
  const tabbed = await tab();
  const { page } = tabbed;
  await page.addInitScript(() => {
    const seen = { longest: 0 };
    Object.assign(window, { seen });
    new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) seen.longest = Math.max(seen.longest, duration);
    }).observe({ type: 'longtask' });
  });
  const began = performance.now();
  await tabbed.go(`trace/${LARGE}`);
  await rows(page).first().waitFor();
  const took = performance.now() - began;
  const answer = await page.evaluate(
    () =>
      performance
        .getEntriesByType('resource')
        .find(({ name }) => name.includes('columns=tree'))
        ?.toJSON() as { responseStart: number; responseEnd: number; startTime: number; transferSize: number },
  );
  expect(await page.locator('.trace-facts').innerText()).toContain('50,000');
  expect(await rows(page).count()).toBeLessThan(80);
  await page.evaluate(() => Object.assign((window as unknown as { seen: { longest: number } }).seen, { longest: 0 }));
  const list = page.getByRole('treegrid', { name: 'Spans' });
  expect(await list.getAttribute('aria-rowcount')).toBe(String(LARGE_SPANS));
  for (let i = 0; i < 40; i += 1) {
    await list.evaluate((element, i) => element.scrollTo(0, i * 31_111), i);
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => resolve(undefined))));
    expect(await rows(page).count()).toBeLessThan(80);
  }
  const longest = await page.evaluate(() => (window as unknown as { seen: { longest: number } }).seen.longest);
  await list.focus();
  await page.keyboard.press('End');
  await expect.poll(() => rows(page).last().getAttribute('aria-rowindex')).toBe(String(LARGE_SPANS));
  await page.keyboard.press('3');
  await expect.poll(async () => Number(await list.getAttribute('aria-rowcount'))).toBe(10_001);
  await page.locator('#find').fill('the-one');
  await expect.poll(() => page.locator('.row.found').count()).toBe(1);
  console.log(
    `50,000 spans: ${took.toFixed(0)} ms to the first rows, ${(answer.responseEnd - answer.startTime).toFixed(0)} ms of it the answer (${(answer.transferSize / 1e6).toFixed(1)} MB); longest task while scrolling ${longest.toFixed(0)} ms`,
  );
  quiet(tabbed);
});

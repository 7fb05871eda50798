/** The page of metrics: names, charts of every type, splits, heat maps, exemplars, tables. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { at, query, quiet, useBrowser } from './support.js';
import { clipboard, shop, texts, visitor } from './visit.js';

useBrowser();

/** How many pixels of the chart are of no grey. */
const coloured = (page: Page) =>
  page.locator('.plot canvas').evaluate(element => {
    const canvas = element as HTMLCanvasElement;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [red, green, blue, alpha] = [data[i]!, data[i + 1]!, data[i + 2]!, data[i + 3]!];
      if (alpha > 0 && Math.max(red, green, blue) - Math.min(red, green, blue) > 24) found += 1;
    }
    return found;
  });

const legend = (page: Page) => page.locator('.legend tbody tr');

test('names stand with type, unit and how they went, and are found by typing', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('metrics');
  const list = page.getByRole('listbox', { name: 'Metrics' });
  const names = await texts(list.locator('.row'));
  for (const name of [
    'http.server.requests counter · request',
    'http.server.request.duration histogram · s',
    'rpc.client.duration exp. histogram · s',
    'process.memory.usage gauge · By',
    'queue.size sum · item',
    'gc.pause summary · ms',
  ])
    expect(names).toContain(name);
  await expect.poll(() => list.locator('.spark-line').count()).toBeGreaterThanOrEqual(6);
  await page.locator('main').press('f');
  await page.keyboard.type('queue');
  await expect.poll(() => list.locator('.row').count()).toBe(1);
  await page.keyboard.press('Enter');
  await at(page, /\/ui\/metrics\/queue\.size/);
  await page.getByRole('heading', { name: /queue\.size/ }).waitFor();
  quiet(tab);
});

test.each([
  ['http.server.requests', /^rate [\d.]+\/s/, 1],
  ['process.memory.usage', /^value 200 MiB/, 1],
  ['queue.size', /^value 2\d/, 1],
  ['http.server.request.duration', /^p50 [\d.]+ ms/, 3],
  ['rpc.client.duration', /^p50 [\d.]+ ms/, 3],
  ['gc.pause', /^p50 2 ms/, 2],
] as const)('%s is drawn as what suits it', async (name, first, lines) => {
  const { page, go } = await visitor();
  await go(`metrics/${name}`);
  await expect.poll(() => legend(page).count()).toBe(lines);
  expect((await texts(legend(page)))[0]).toMatch(first);
  expect(await coloured(page)).toBeGreaterThan(200);
});

test('a split has the ten greatest and the others as one, and the numbers are those of the API', async () => {
  const { page, go } = await visitor();
  await go('metrics/http.server.requests?show=increase');
  await legend(page).first().waitFor();
  await page.getByLabel('Apart by').selectOption('attr:http.route');
  await at(page, /split=attr:http\.route/);
  await expect.poll(() => legend(page).count()).toBe(11);
  const names = await texts(legend(page).locator('.line-name'));
  expect(names[0]).toBe('/cart');
  expect(names.at(-1)).toBe('other');
  expect(names).not.toContain('/jobs');
  // All lines together are the whole: what a table has of one time, and the API without a split.
  await page.getByRole('button', { name: 'Table' }).click();
  await at(page, /view=table/);
  const cells = (await page.locator('.values tbody tr').nth(4).locator('td').allInnerTexts()).map(text =>
    text === '–' ? 0 : Number(text),
  );
  expect(cells).toHaveLength(11);
  const time = await page.locator('.values tbody tr').nth(4).locator('th').innerText();
  const whole = (await (
    await fetch(`${shop}/api/v1/metrics/http.server.requests?show=increase&by=name&from=-1h`)
  ).json()) as { lines: { points: { time: string; value: number }[] }[] };
  const wanted = whole.lines[0]!.points.find(point => point.time.includes(`T${time.slice(-8)}`))!;
  expect(cells.reduce((sum, value) => sum + value, 0)).toBeCloseTo(wanted.value, 0);
});

test('lines are hidden and shown, by the keyboard too, and the URL has it', async () => {
  const { page, go } = await visitor();
  await go('metrics/http.server.request.duration');
  await legend(page).first().waitFor();
  const before = await coloured(page);
  await page.getByRole('button', { name: 'p99' }).focus();
  await page.keyboard.press('Enter');
  await at(page, /hide=p99/);
  await expect.poll(() => coloured(page)).toBeLessThan(before * 0.85);
  const other = await visitor();
  await other.page.goto(page.url());
  await other.page.locator('.legend .is-hidden', { hasText: 'p99' }).waitFor();
});

test.each(['http.server.request.duration', 'rpc.client.duration'])(
  'the heat map of %s has the counts of its buckets',
  async name => {
    const { page, go } = await visitor();
    await go(`metrics/${name}`);
    await page.getByRole('button', { name: 'Heat map' }).click();
    await at(page, /show=buckets/);
    await page.locator('.plot.heat canvas').waitFor();
    await expect.poll(() => coloured(page)).toBeGreaterThan(2_000);
    const box = (await page.locator('.plot').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.8, box.y + box.height * 0.45);
    await page.getByText(/[\d,]+ values, [\d.]+ ms to [\d.]+ (ms|s)/).waitFor();
    await page.getByRole('button', { name: 'Table' }).click();
    const counts = (await page.locator('.legend tbody tr td:nth-child(2)').allInnerTexts()).map(text =>
      Number(text.replaceAll(',', '')),
    );
    // 30, 28 … 4 values of fourteen routes at each of 60 exports; the first tells what came since the start.
    const all = 60 * Array.from({ length: 14 }, (_, rank) => 30 - 2 * rank).reduce((sum, value) => sum + value, 0);
    expect(counts.reduce((sum, value) => sum + value, 0)).toBeGreaterThan(all * 0.95);
    expect(counts.reduce((sum, value) => sum + value, 0)).toBeLessThanOrEqual(all);
  },
);

test('exemplars are dots that lead to their trace; those without one are hollow', async () => {
  const { page, go } = await visitor();
  await go('metrics/http.server.request.duration');
  const dots = page.locator('a.exemplar');
  await expect.poll(() => dots.count()).toBe(5);
  expect(await page.locator('.exemplar.gone').count()).toBe(1);
  // They lie on the chart, and the keyboard gets to them.
  const [chart, dot] = [(await page.locator('.plot').boundingBox())!, (await dots.first().boundingBox())!];
  expect(dot.x > chart.x && dot.x < chart.x + chart.width && dot.y > chart.y && dot.y < chart.y + chart.height).toBe(
    true,
  );
  const href = await dots.first().getAttribute('href');
  await dots.first().focus();
  await page.keyboard.press('Enter');
  await at(page, /\/ui\/trace\/[0-9a-f]{32}/);
  expect(page.url()).toContain(href!.split('?')[0]!);
});

test('dragging over a chart chooses the range', async () => {
  const { page, go } = await visitor();
  await go('metrics/http.server.requests');
  await page.locator('.plot canvas').waitFor();
  const box = (await page.locator('.plot').boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.6, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 100, { steps: 5 });
  await page.mouse.up();
  await at(page, /from=\d{19}&to=\d{19}/);
  const { from, to } = Object.fromEntries(query(page));
  const minutes = Number(BigInt(to!) - BigInt(from!)) / 60e9;
  expect(minutes).toBeGreaterThan(8);
  expect(minutes).toBeLessThan(18);
});

test('the name is copied, attributes filter, and what is hostile is a name like others', async () => {
  const { page, go } = await visitor();
  await go('metrics/http.server.requests?attr=http.route=/cart');
  await page.getByRole('button', { name: 'Copy the name' }).click();
  expect(await clipboard(page)).toBe('http.server.requests');
  await expect.poll(() => texts(legend(page).locator('td').nth(5))).toEqual(['1']);
  await page
    .getByRole('button', { name: 'Remove the filter attr http.route=/cart' })
    .or(page.getByRole('button', { name: /Remove the filter .*http.route=\/cart/ }))
    .click();
  await expect.poll(() => texts(legend(page).locator('td').nth(5))).toEqual(['14']);
  await page.getByRole('listbox', { name: 'Metrics' }).locator('.row', { hasText: '<img' }).click();
  await page.getByRole('heading', { name: /<img src=x/ }).waitFor();
  await legend(page).first().waitFor();
  expect(await page.evaluate(() => (window as { harmed?: number }).harmed)).toBeUndefined();
});

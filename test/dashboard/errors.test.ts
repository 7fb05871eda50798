/** Errors, the map, the recorder, comparisons, conversations, and views that are kept. */
import { expect, test } from 'vitest';
import { send } from './setup.js';
import { HARM } from './shop-data.js';
import { at, query, quiet, useBrowser } from './support.js';
import { clipboard, drawer, shop, texts, traces, visitor } from './visit.js';

useBrowser();

test('exceptions that are alike are one row, with how many, since when, and a way to a trace', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('errors');
  const rows = page.locator('.errors .row');
  await expect.poll(() => rows.count()).toBe(3);
  const [first] = await texts(rows);
  expect(first).toMatch(
    /^PaymentError card of order <n> was declined charge \(\/app\/src\/payment\.ts\) checkout 2[01] \d\d min ago \d+ (s|min) ago$/,
  );
  expect(await rows.first().locator('.spark-line').count()).toBe(1);
  await page.getByRole('listbox', { name: 'Errors' }).focus();
  await page.keyboard.press('ArrowDown');
  await at(page, /error=[0-9a-f]{16}/);
  const details = drawer(page);
  await details.getByText('at charge (/app/src/payment.ts:41:11)').waitFor();
  await details.getByRole('button', { name: 'Copy as text' }).click();
  expect(await clipboard(page)).toMatch(
    /^PaymentError: card of order \d+ was declined\n2[01] times from .*\nspan: checkout\ntrace: [0-9a-f]{32} span [0-9a-f]{16}\n\nPaymentError:/,
  );
  await expect.poll(() => details.locator('.occurrences li').count()).toBeGreaterThan(15);
  const link = page.url();
  await details.getByRole('link', { name: 'Trace of the latest' }).click();
  await at(page, /\/ui\/trace\/[0-9a-f]{32}\?.*span=[0-9a-f]{16}/);
  const other = await visitor();
  await other.page.goto(link);
  await drawer(other.page).getByText('at charge (/app/src/payment.ts:41:11)').waitFor();
  quiet(tab);
});

test('exceptions of log records alone, and none at all', async () => {
  const { page, go } = await visitor();
  await go('errors');
  await page.getByRole('button', { name: 'Of log records' }).click();
  await expect
    .poll(async () => (await texts(page.locator('.errors .row'))).map(text => text.split(' ')[0]))
    .toEqual(['SmtpTimeout']);
  await go('errors?from=2020-01-01&to=2020-01-02');
  await page.getByText('No exceptions in this time').waitFor();
  await page.getByRole('link', { name: 'traces with errors' }).click();
  await at(page, /\/ui\/traces\?.*status=error/);
});

test('the map has every service, what it calls, rates, errors and durations; the keyboard goes about in it', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('map');
  const nodes = page.locator('.map-node');
  expect((await nodes.evaluateAll(all => all.map(node => (node as SVGElement).dataset.node))).sort()).toEqual(
    [HARM, 'assistant', 'checkout', 'database:postgresql', 'mail', 'web'].sort(),
  );
  const labels = await page.locator('.map-label').allTextContents();
  expect(labels.some(label => /^[\d.]+\/(min|s) · [\d.]+ ms · 1[12] %$/.test(label))).toBe(true);
  expect(await page.locator('.map-edge.error').count()).toBe(1);
  await page.locator('.map-node[data-node=web]').focus();
  await page.keyboard.press('ArrowRight');
  expect(await page.evaluate(() => (document.activeElement as SVGElement).dataset.node)).toBe('checkout');
  await page.keyboard.press('Enter');
  await at(page, /node=checkout/);
  await drawer(page).getByText('Called by').waitFor();
  expect(await texts(drawer(page).locator('section').first().locator('.service'))).toEqual(['web']);
  await page.keyboard.press('Escape');
  await expect.poll(() => query(page).get('node')).toBeNull();
  await page.locator('.map-edge.error .map-hit').click({ force: true });
  await drawer(page).getByText('web → checkout').waitFor();
  const errors = await drawer(page).locator('dd.error').innerText();
  await page.getByRole('button', { name: 'Table' }).click();
  await at(page, /view=table/);
  const row = page.locator('.table tbody tr', { hasText: /^web\s*checkout/ });
  expect(errors).toContain((await texts(row.locator('td')))[4]!);
  await drawer(page).getByRole('link', { name: 'Those that failed' }).click();
  await at(page, /\/ui\/traces\?.*service=checkout.*status=error/);
  quiet(tab);
});

test('the recorder tells what it keeps and what it refused', async () => {
  const { page, go } = await visitor();
  await go('recorder');
  const accepted = page.getByRole('row', { name: /^Accepted/ });
  const [, , points] = await texts(accepted.locator('th, td'));
  expect(Number(points!.replaceAll(',', ''))).toBeGreaterThan(2_000);
  await page.getByText('On disk').first().waitFor();
  const deep = Array.from({ length: 200 }).reduce((inner: object) => ({ arrayValue: { values: [inner] } }), {
    stringValue: 'x',
  } as object);
  await send(shop, 'logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: deep }] }] }] }).catch(
    () => undefined,
  );
  await expect
    .poll(async () => (await texts(page.getByRole('row', { name: /^Refused/ }).locator('td')))[2], { timeout: 20_000 })
    .toBe('1');
});

test('a destination is paused, resumed and asked again by its buttons', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('recorder');
  const far = page.locator('.destination', { hasText: 'far' });
  await expect.poll(() => far.innerText(), { timeout: 30_000 }).toMatch(/Waiting\s+[\d,]+ records, the oldest for/);
  await expect.poll(() => far.locator('.last-error').innerText(), { timeout: 30_000 }).toMatch(/127\.0\.0\.1|refused/);
  await far.getByRole('button', { name: 'Pause far' }).click();
  await page.getByText('far is paused: what arrives waits on disk').waitFor();
  await expect.poll(() => far.locator('.status').innerText()).toBe('Paused');
  const state = async () =>
    ((await (await fetch(`${shop}/api/v1/recorder`)).json()) as { destinations: { paused: boolean }[] })
      .destinations[0]!.paused;
  expect(await state()).toBe(true);
  await far.getByRole('button', { name: 'Resume far' }).focus();
  await page.keyboard.press('Enter');
  await far.getByRole('button', { name: 'Pause far' }).waitFor();
  expect(await state()).toBe(false);
  await far.getByRole('button', { name: 'Retry far' }).click();
  await page.getByText('far: 0 requests were taken now, 0 stay set aside.').waitFor();
  quiet(tab);
});

/** Effects in nanoseconds, as they are shown. */
const effects = (shown: readonly string[]) =>
  shown.map(text => {
    const [, sign, value, unit] = /^([+−]?)([\d.]+) ?(ns|µs|ms|s)?$/.exec(text) ?? [];
    return (sign === '−' ? -1 : 1) * Number(value) * ({ ns: 1, µs: 1e3, ms: 1e6, s: 1e9 }[unit ?? 'ns'] ?? 1);
  });

test('two runs beside each other: what is slower, new and failing, by what it does', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('compare');
  await page.getByLabel('Runs by').selectOption('ci.run.id');
  await page.getByRole('combobox', { name: 'before' }).selectOption('41');
  await page.getByRole('combobox', { name: 'now' }).selectOption('42');
  await page.getByRole('button', { name: 'Compare runs' }).click();
  await at(page, /a=resource=ci\.run\.id=41&b=resource=ci\.run\.id=42/);
  const rows = page.locator('table.table').first().locator('tbody tr');
  await rows.first().waitFor();
  const shown = await texts(rows);
  expect(shown.some(row => /^Failing checkout checkout server/.test(row))).toBe(true);
  expect(shown.some(row => /^New fraud check checkout internal/.test(row))).toBe(true);
  expect(shown.some(row => /^Slower POST web client/.test(row))).toBe(true);
  const sizes = effects(await texts(rows.locator('td:nth-child(3)'))).map(Math.abs);
  expect([...sizes].sort((a, b) => b - a)).toEqual(sizes);
  await page.getByText('Exceptions of which one side has more').waitFor();
  await page.getByRole('button', { name: /^New/ }).click();
  await at(page, /change=new/);
  await expect.poll(async () => new Set((await texts(rows)).map(row => row.split(' ')[0]))).toEqual(new Set(['New']));
  await page.getByRole('button', { name: 'Copy as text' }).click();
  expect(await clipboard(page)).toMatch(/new: checkout fraud check \(internal\): p50 14 ms; 0 → 90 spans/);
  await page.getByRole('button', { name: 'Swap the two' }).click();
  await at(page, /a=resource=ci\.run\.id=42/);
  quiet(tab);
});

test('two traces and two ranges, and what is written wrongly', async () => {
  const { page, go } = await visitor();
  await go('compare');
  await page.getByRole('textbox', { name: 'Before' }).fill(traces.before);
  await page.getByRole('textbox', { name: 'Now' }).fill(traces.after);
  await page.keyboard.press('Enter');
  await page
    .locator('.side-facts')
    .getByText(`${traces.after.slice(0, 16)}…`)
    .waitFor();
  await page.getByRole('row', { name: /New fraud check/ }).waitFor();
  // Of one trace alone those that begin so are offered.
  await go(`compare?a=${traces.before}`);
  await page.getByText('Traces that begin with GET /cart as well').waitFor();
  await page.locator('.table button').first().click();
  await at(page, new RegExp(`a=${traces.before}&b=[0-9a-f]{32}`));
  await page.locator('.side-facts').waitFor();
  await go('compare');
  await page.getByRole('button', { name: 'The last hour with the one before' }).click();
  await page.getByText(/Nothing was found of -2h..-1h/).waitFor();
  await page.getByRole('row', { name: /New checkout/ }).waitFor();
  await page.getByRole('textbox', { name: 'Before' }).fill('servce=shop');
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  await page
    .getByRole('alert')
    .getByText(/did you mean service/)
    .waitFor();
});

test('a conversation is read as one: what was asked, which tools ran, what it cost', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('traces');
  await page.getByRole('link', { name: 'Conversations' }).click();
  await at(page, /\/ui\/genai/);
  await page.getByRole('link', { name: 'invoke_agent support' }).click();
  await at(page, new RegExp(`/ui/genai/${traces.conversation}`));
  await page.getByText('Where is my order 48213? I have waited a week.').waitFor();
  const cards = await texts(page.locator('.cards .card'));
  expect(cards[0]).toBe('Tokens 1,061 942 in, 119 out');
  expect(cards[2]).toBe('Tools find_order × 1');
  const turns = page.locator('.turn');
  expect(await texts(turns.locator('.badge'))).toEqual(['invoke_agent', 'chat', 'execute_tool', 'chat']);
  // The second turn sends everything again: what was there is folded.
  expect(await turns.nth(3).innerText()).toContain('The 2 messages above, again');
  expect(await turns.nth(3).innerText()).not.toContain('Where is my order');
  expect(await turns.nth(3).innerText()).toContain('<img src=x onerror');
  expect(await page.evaluate(() => (window as { harmed?: number }).harmed)).toBeUndefined();
  await page.getByRole('button', { name: 'Copy as text' }).click();
  expect(await clipboard(page)).toContain('assistant call find_order: {"order":48213}');
  await turns.nth(2).getByRole('link', { name: 'find_order' }).click();
  await at(page, new RegExp(`/ui/trace/${traces.conversation}\\?.*span=`));
  await go(`genai/${traces.before}`);
  await page.getByText('This trace has no conversation').waitFor();
  quiet(tab);
});

test('a view is kept under a name, found again after a reload, and forgotten', async () => {
  const { page, go } = await visitor();
  await go('logs?severity=>=error&service=checkout&wrap=on&live=off');
  const url = page.url();
  await page.getByRole('button', { name: 'Views that are kept' }).click();
  await page.getByLabel('Name of this view').fill('failing payments');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'failing payments' }).waitFor();
  await go('overview');
  await page.getByRole('button', { name: 'Views that are kept' }).click();
  await page.getByRole('button', { name: 'Copy the link of failing payments' }).click();
  expect(decodeURIComponent(await clipboard(page))).toBe(decodeURIComponent(url));
  await page.getByRole('link', { name: 'failing payments' }).click();
  await page.waitForURL(url);
  await page.locator('.logs .row').first().waitFor();
  await page.getByRole('button', { name: 'Views that are kept' }).click();
  await page.getByRole('button', { name: 'Forget failing payments' }).click();
  await expect.poll(() => page.getByRole('link', { name: 'failing payments' }).count()).toBe(0);
});

/** The page of log records: counts, list, search, drawer, and what comes as it comes. */
import { expect, test } from 'vitest';
import { send } from './setup.js';
import { at, query, quiet, useBrowser } from './support.js';
import { clipboard, drawer, shop, texts, traces, visitor } from './visit.js';

useBrowser();

const rows = '.logs .row';

test('counts by severity stand over the list, and dragging over them chooses a range', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  await go('logs?service=!flood&service=!live');
  const bars = page.getByRole('img', { name: /Log records over time/ });
  const before = Number(/: ([\d,]+) in all/.exec((await bars.getAttribute('aria-label'))!)![1]!.replaceAll(',', ''));
  expect(before).toBeGreaterThan(380);
  for (const level of ['is-error', 'is-warn', 'is-info', 'is-debug', 'is-fatal', 'is-trace'])
    expect(await page.locator(`.bar.${level}`).count()).toBeGreaterThan(0);
  const box = (await page.locator('.bars').boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.7, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.85, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await at(page, /from=\d{19}&to=\d{19}/);
  await expect
    .poll(async () => Number(/: ([\d,]+) in all/.exec((await bars.getAttribute('aria-label'))!)![1]))
    .toBeLessThan(before / 2);
  const { from, to } = Object.fromEntries(query(page));
  const millis = (nanos: string) => Number(BigInt(nanos) / 1_000_000n);
  const day = new Date(millis(to!)).toISOString().slice(0, 10);
  const isWithin = (time: string) => {
    const at = Date.parse(`${day}T${time}Z`);
    return at >= millis(from!) && at <= millis(to!) + 1;
  };
  await expect.poll(async () => (await page.locator(`${rows} .time`).allInnerTexts()).every(isWithin)).toBe(true);
  await page.goBack();
  await expect.poll(() => query(page).get('from')).toBeNull();
  quiet(tab);
});

test('the newest come first, only those in sight are in the document, and older ones come with scrolling', async () => {
  const { page, go } = await visitor();
  await go('logs?live=off&service=!flood&service=!live');
  const list = page.getByRole('grid', { name: 'Log records' });
  await page.getByText('300 and more records').waitFor();
  expect(await page.locator(rows).count()).toBeLessThan(60);
  const times = await page.locator(`${rows} .time`).allInnerTexts();
  expect([...times].sort().reverse()).toEqual(times);
  await list.evaluate(element => element.scrollTo(0, element.scrollHeight));
  await page.getByText(/^(3[1-9]|[4-9])\d+ records/).waitFor();
  expect(await page.locator(rows).count()).toBeLessThan(60);
  // From the first to the last one by the keyboard.
  await list.focus();
  await page.keyboard.press('End');
  await expect
    .poll(
      async () =>
        (await page.locator(`${rows}[aria-selected=true]`).getAttribute('aria-rowindex')) ===
        (await list.getAttribute('aria-rowcount')),
    )
    .toBe(true);
  expect(await page.locator(`${rows}[aria-selected=true]`).isVisible()).toBe(true);
});

test('long lines are broken where somebody wants that, and every row is as tall as its text', async () => {
  const { page, go } = await visitor();
  await go('logs?text=queue+is+long&live=off');
  const height = (at: number) =>
    page
      .locator(rows)
      .nth(at)
      .evaluate(row => row.getBoundingClientRect().height);
  expect(await height(0)).toBe(26);
  await page.getByRole('button', { name: 'Wrap' }).click();
  await at(page, /wrap=on/);
  await expect.poll(() => height(0)).toBeGreaterThan(40);
  const boxes = await page
    .locator(rows)
    .evaluateAll(found => found.map(row => row.getBoundingClientRect()).map(({ top, bottom }) => ({ top, bottom })));
  for (const [at, { top }] of boxes.slice(1).entries()) expect(Math.abs(top - boxes[at]!.bottom)).toBeLessThan(1);
  await page.locator('main').press('w');
  await expect.poll(() => query(page).get('wrap')).toBeNull();
});

test('a text or a regular expression is looked for, and stands out', async () => {
  const { page, go } = await visitor();
  await go('logs?live=off');
  await page.keyboard.press('/');
  await page.keyboard.type('declined');
  await page.keyboard.press('Enter');
  await at(page, /text=declined/);
  await expect.poll(() => page.locator('mark').count()).toBeGreaterThan(5);
  await expect
    .poll(async () => (await page.locator(`${rows} .body`).allInnerTexts()).every(body => body.includes('declined')))
    .toBe(true);
  await page.locator('#search').fill('/order [0-9]{4}7/');
  await page.keyboard.press('Enter');
  await at(page, /regex=/);
  await expect
    .poll(async () => (await page.locator(`${rows} .body`).allInnerTexts()).every(body => /order \d{4}7/.test(body)))
    .toBe(true);
  expect(await page.locator('mark').first().innerText()).toMatch(/^order \d{4}7$/);
  await page.locator('#search').fill('DECLINED');
  await page.keyboard.press('Enter');
  await page.getByText('No log record matches').waitFor();
  await page.getByRole('button', { name: 'Aa' }).click();
  await expect.poll(() => page.locator('mark').count()).toBeGreaterThan(5);
  await page.getByRole('button', { name: 'Remove the filter text DECLINED' }).click();
  await page.getByText(/and more records/).waitFor();
});

test('severities and facets leave what matters', async () => {
  const { page, go } = await visitor();
  await go('logs?live=off');
  await page.getByLabel('Least severity').selectOption('>=error');
  await expect.poll(() => texts(page.locator(`${rows} .level`))).not.toContain('info');
  expect(new Set(await texts(page.locator(`${rows} .level`)))).toEqual(new Set(['error', 'fatal']));
  await page.getByRole('complementary', { name: 'Filter by' }).getByRole('button', { name: /^mail/ }).click();
  await expect.poll(async () => new Set(await texts(page.locator(`${rows} .service`)))).toEqual(new Set(['mail']));
  // Whatever is in the URL is there again.
  const other = await visitor();
  await other.page.goto(page.url());
  await expect
    .poll(async () => texts(other.page.locator(`${rows} .body`)))
    .toEqual(await texts(page.locator(`${rows} .body`)));
});

test('a record has all of it at its right: filtered by, copied, linked, and the way to its trace', async () => {
  const { page, go } = await visitor();
  await go('logs?text=payment+of+order&live=off');
  await page.locator(rows).nth(2).click();
  await at(page, /log=/);
  const details = drawer(page);
  await details.getByText('insufficient_funds').waitFor();
  // The drawer has its own room.
  const [list, box] = [(await page.locator('.logs').boundingBox())!, (await details.boundingBox())!];
  expect(list.x + list.width).toBeLessThanOrEqual(box.x + 1);
  const body = (await page.locator(rows).nth(2).locator('.body').innerText()).trim();
  await details.getByRole('button', { name: 'Copy the body' }).click();
  expect(await clipboard(page)).toBe(body);
  const link = page.url();
  await page.keyboard.press('Escape');
  await expect.poll(() => query(page).get('log')).toBeNull();

  // The link has the record, also where the list does not.
  const other = await visitor();
  await other.page.goto(link.replace('payment', 'loaded').replace('text=', 'x='));
  await drawer(other.page).getByText(body, { exact: true }).waitFor();

  await page.locator(rows).nth(2).click();
  await details.locator('.attribute', { hasText: 'reason' }).hover();
  await details.getByRole('button', { name: 'Only reason = insufficient_funds' }).click();
  await at(page, /attr=reason/);
  await details.locator('.attribute', { hasText: 'ci.run.id' }).hover();
  await details.getByRole('button', { name: /^Not ci.run.id = 42/ }).click();
  await at(page, /resource=ci.run.id!=42/);
  await expect.poll(() => page.locator(rows).count()).toBe(3);
  await details.getByRole('link', { name: 'Trace' }).click();
  await at(page, /\/ui\/trace\/[0-9a-f]{32}/);
});

test('the logs of a trace are a link away', async () => {
  const { page, go } = await visitor();
  await go(`logs?trace=${traces.after}&from=all`);
  await expect.poll(() => page.locator(rows).count()).toBeGreaterThan(1);
  for (const href of await page
    .locator(`${rows} .to-trace`)
    .evaluateAll(links => links.map(link => (link as HTMLAnchorElement).href)))
    expect(href).toContain(traces.after);
});

const record = (body: string, number: number) => ({
  timeUnixNano: String(BigInt(Date.now()) * 1_000_000n + BigInt(number)),
  severityNumber: 9,
  body: { stringValue: body },
});
const write = (bodies: readonly string[]) =>
  send(shop, 'logs', {
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'live' } }] },
        scopeLogs: [{ logRecords: bodies.map(record) }],
      },
    ],
  });

test('what comes is there at once, once; who has scrolled, chosen or paused is told how many there are', async () => {
  const tab = await visitor();
  const { page, go } = tab;
  const name = `live-${process.pid}-${Date.now()}`;
  await write(Array.from({ length: 60 }, (_, number) => `${name} before ${number}`));
  await go(`logs?text=${name}&from=-15m`);
  await page.getByText('60 records').waitFor();
  // The tail is open before the list is asked for: what comes now comes by it.
  await write([`${name} one`]);
  await page.locator(rows).first().getByText(`${name} one`).waitFor();
  await page.getByText('61 records').waitFor();

  const list = page.getByRole('grid', { name: 'Log records' });
  await list.evaluate(element => element.scrollTo(0, 400));
  const top = await page.locator(`${rows}[data-row="20"] .body`).innerText();
  await write(Array.from({ length: 37 }, (_, number) => `${name} more ${number}`));
  const pill = page.getByRole('button', { name: '37 new' });
  await pill.waitFor();
  expect(await page.locator(`${rows}[data-row="20"] .body`).innerText()).toBe(top);
  await pill.click();
  await page.getByText('98 records').waitFor();
  await page.locator(rows).first().getByText(`${name} more 36`).waitFor();
  expect(await list.evaluate(element => element.scrollTop)).toBe(0);

  await page.getByRole('button', { name: 'Live', exact: true }).click();
  await at(page, /live=off/);
  await write([`${name} while paused`]);
  expect(await page.getByText(`${name} while paused`).count()).toBe(0);
  await page.getByRole('button', { name: 'Paused', exact: true }).click();
  // It goes on with what came meanwhile.
  await page.locator(rows).first().getByText(`${name} while paused`).waitFor();
  const bodies = await texts(page.locator(`${rows} .body`));
  expect(new Set(bodies).size).toBe(bodies.length);
  quiet(tab);
});

test('a filter holds of what comes, too', async () => {
  const { page, go } = await visitor();
  const name = `filter-${process.pid}-${Date.now()}`;
  await write([`${name} first`]);
  await go(`logs?text=${name}&attr=!nothing&severity=info`);
  await page.locator(rows).first().waitFor();
  await write([`something else`, `${name} second`]);
  await page.getByText('2 records').waitFor();
  expect(await texts(page.locator(`${rows} .body`))).toEqual([`${name} second`, `${name} first`]);
});

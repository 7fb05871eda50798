/**
 * A tail of a thousand log records a second: the page stays what it is. `npm run test:long -- eyes` looks on for ten minutes
 * (`EYES_SECONDS=600`), this for twenty seconds.
 */
import type { CDPSession } from 'playwright-core';
import { expect, test } from 'vitest';
import { send } from './setup.js';
import { quiet, useBrowser } from './support.js';
import { shop, visitor } from './visit.js';

useBrowser();

const SECONDS = Number(process.env.EYES_SECONDS ?? 20);
/** Records a second, in so many requests. */
const RATE = 1_000;
const REQUESTS = 5;

const MIB = 1024 ** 2;

/** Bytes that are alive after everything else was collected. */
async function alive(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize;
}

test(
  `a thousand log records a second for ${SECONDS} s: they are shown, the list and the heap stay as long as they were`,
  async () => {
    const tab = await visitor();
    const { page, go, context } = tab;
    const session = await context.newCDPSession(page);
    await session.send('HeapProfiler.enable');
    const name = `flood-${process.pid}-${Date.now()}`;
    let number = 0;
    const write = async () => {
      const logRecords = Array.from({ length: RATE / REQUESTS }, () => {
        number += 1;
        return {
          timeUnixNano: String(BigInt(Date.now()) * 1_000_000n),
          severityNumber: 9,
          body: { stringValue: `${name} ${number} took ${number % 997} ms` },
          attributes: [{ key: 'number', value: { intValue: String(number) } }],
        };
      });
      await send(shop, 'logs', {
        resourceLogs: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'flood' } }] },
            scopeLogs: [{ logRecords }],
          },
        ],
      });
    };
    await write();
    await go('logs?service=flood&facets=off&from=-5m');
    await page.locator('.logs .row').first().waitFor();
    const began = performance.now();
    let sent = 0;
    const heaps: number[] = [];
    let nextLook = SECONDS * 0.4;
    while (performance.now() - began < SECONDS * 1_000) {
      const seconds = (performance.now() - began) / 1_000;
      // What the machine does not manage is not made up for: at most as many as are due.
      if (sent < seconds * REQUESTS) {
        sent += 1;
        await write();
      } else {
        await new Promise(resolve => setTimeout(resolve, 20));
      }
      if (seconds > nextLook) {
        heaps.push(await alive(session));
        nextLook += SECONDS * 0.2;
      }
    }
    const last = number;
    // The latest one is there, by itself, and at the top.
    await page.locator('.logs .row').first().getByText(`${name} ${last} `).waitFor({ timeout: 60_000 });
    heaps.push(await alive(session));
    const rate = Math.round((last * 1_000) / (performance.now() - began));
    console.log(`${last} records at ${rate}/s; heap ${heaps.map(bytes => (bytes / MIB).toFixed(1)).join(', ')} MiB`);
    expect(await page.locator('.logs .row').count()).toBeLessThan(100);
    expect(await page.locator('.list-foot').innerText()).toMatch(/^[1-5],?\d{3} and more records/);
    expect(Math.max(...heaps.slice(1)) - heaps[0]!).toBeLessThan(24 * MIB);
    // Who reads elsewhere is told how many came, and nothing grows either.
    await page.getByRole('grid', { name: 'Log records' }).evaluate(element => element.scrollTo(0, 2_000));
    await write();
    await page.getByRole('button', { name: '200 new' }).waitFor({ timeout: 60_000 });
    quiet(tab);
  },
  (SECONDS + 240) * 1_000,
);

/** Tabs that look at the shop. */
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { inject } from 'vitest';
import { settled, type Tab, tab } from './support.js';

export const shop = inject('shop');
export const traces = inject('traces');

/** A tab whose pages are those of the shop's recorder. */
export async function visitor(options: BrowserContextOptions = {}): Promise<Tab> {
  return visiting(await tab(options));
}

/** As above, of a tab that is there. */
export function visiting(of: Tab): Tab {
  return {
    ...of,
    async go(path) {
      await of.page.goto(`${shop}/ui/${path}`);
      await settled(of.page);
    },
  };
}

export const drawer = (page: Page): Locator => page.getByRole('complementary', { name: 'Details' });

/** Texts of all that a locator finds, each in one line. */
export const texts = async (of: Locator): Promise<string[]> =>
  (await of.allInnerTexts()).map(text => text.replace(/\s+/g, ' ').trim());

/** What is on the clipboard. */
export const clipboard = (page: Page): Promise<string> => page.evaluate(() => navigator.clipboard.readText());

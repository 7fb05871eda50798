/** A browser, and pages that tell what went wrong in them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest';

/** Where the recorder is. */
export const origin = inject('origin');

/** Where screenshots go. */
export const SHOTS = join(import.meta.dirname, '../../target/dashboard');

let browser: Browser;

/** Starts a browser for the tests of a file, and ends it. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
  });
  // A page that is left open asks every few seconds.
  afterEach(async () => {
    await Promise.all(browser.contexts().map(context => context.close()));
  });
  afterAll(async () => {
    await browser?.close();
  });
}

/** A page, with what it complained of. */
export interface Tab {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and violations of the policy so far. */
  readonly complaints: string[];
  /** Goes to a page of the dashboard, such as `traces?service=a`, and waits until it is drawn. */
  go(path: string): Promise<void>;
}

/** Opens a tab in a context of its own. */
export async function tab(options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    timezoneId: 'UTC',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  // A machine that is busy takes long for anything.
  context.setDefaultTimeout(90_000);
  return tabIn(context);
}

/** Opens one more tab of a context: they are of one browser. */
export async function tabIn(context: BrowserContext): Promise<Tab> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(`error: ${error.message}`));
  page.on('console', message => {
    if (message.type() === 'error' || /Content Security Policy/.test(message.text())) complaints.push(message.text());
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event =>
      console.error(`violation: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  return {
    page,
    context,
    complaints,
    async go(path) {
      await page.goto(`${origin}/ui/${path}`);
      await settled(page);
    },
  };
}

/** Waits until the page is drawn and nothing is on its way. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main > :not(.loading)').first().waitFor();
  await page.waitForFunction(() => document.querySelector('.loading, .stale') === null);
}

/** Fails where a page complained. */
export const quiet = (...tabs: readonly Tab[]): void =>
  expect(tabs.flatMap(({ complaints }) => complaints)).toEqual([]);

/** The words of the URL. */
export const query = (page: Page): URLSearchParams => new URL(page.url()).searchParams;

/** Waits until the URL has what is wanted. */
export const at = (page: Page, wanted: RegExp): Promise<void> =>
  page.waitForURL(url => wanted.test(url.pathname + url.search));

/** A picture of the page as a person sees it. */
export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), animations: 'disabled' });
}

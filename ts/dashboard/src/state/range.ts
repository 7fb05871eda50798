/** The range of time that every page asks about, and whether it goes on: `from` and `to` as the API takes them, `live=off`. */
import { computed, effect, signal } from '@preact/signals';
import { ofMillis } from '../parts/time.js';
import { set, type Words, word } from './url.js';

/** What is looked at where nobody says. */
export const USUAL = '-1h';

/** Ranges that are offered, with their names. */
export const RANGES = [
  ['-5m', '5 minutes'],
  ['-15m', '15 minutes'],
  ['-1h', '1 hour'],
  ['-6h', '6 hours'],
  ['-24h', '24 hours'],
  ['-7d', '7 days'],
  ['all', 'Everything'],
] as const;

export const from = computed(() => word('from') ?? USUAL);
export const to = computed(() => word('to') ?? 'now');

/** Whether the range ends now, so that new data appears. */
export const isRelative = computed(() => to.value === 'now' && !/^\d/.test(from.value));

/** Whether somebody stopped it. */
export const isPaused = signal(false);

/** Whether new data appears by itself. */
export const isLive = computed(() => isRelative.value && !isPaused.value && word('live') !== 'off');

/** Grows when pages should ask again. */
export const tick = signal(0);

const UNITS: { readonly [unit: string]: number } = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 604_800e3 };

/** Milliseconds since 1970 of a `from` or `to`; undefined of `all`, and of what is none. */
export function instant(text: string, now = Date.now()): number | undefined {
  if (text === 'now') return now;
  const relative = /^-(\d+(?:\.\d+)?)([smhdw])$/.exec(text);
  if (relative) return now - Number(relative[1]) * UNITS[relative[2]!]!;
  if (/^\d{16,}$/.test(text)) return Number(BigInt(text) / 1_000n) / 1000;
  const parsed = /^\d{4}-\d\d/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}

/** The words `from` and `to` for a question: nothing of what is open. */
export function rangeWords(): Words {
  const words = new Map<string, readonly string[]>();
  if (from.value !== 'all') words.set('from', [from.value]);
  if (to.value !== 'now') words.set('to', [to.value]);
  return words;
}

/** Chooses an absolute range, in milliseconds since 1970. */
export const between = (begin: number, end: number): void => set({ from: ofMillis(begin), to: ofMillis(end) });

/** Chooses a range that ends now. */
export const last = (from: string): void => set({ from: from === USUAL ? null : from, to: null });

/** What the range is called. */
export function rangeName(): string {
  const offered = RANGES.find(([value]) => value === from.value && to.value === 'now');
  if (offered) return offered[0] === 'all' ? 'Everything' : `Last ${offered[1]}`;
  return isRelative.value ? `Last ${from.value.slice(1)}` : '';
}

/** Asks again every few seconds while something is live and somebody looks. What is slow is asked for less often. */
export function keepLive(busy: () => boolean, every = 5_000): void {
  let due = 0;
  effect(() => {
    if (!isLive.value) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'hidden') return;
      due += 1000;
      if (busy()) {
        // An answer takes its time: the next question comes as long after it.
        due = Math.min(due, 0) - 1000;
        return;
      }
      if (due < every) return;
      due = 0;
      tick.value += 1;
    }, 1000);
    return () => clearInterval(timer);
  });
}

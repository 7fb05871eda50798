/** Times and durations: nanoseconds since 1970 are bigints, what is relative to something is a number of nanoseconds. */

/** Nanoseconds of an RFC 3339 text in UTC, as answers have it. */
export function nanos(text: string): bigint {
  const [whole = text, fraction = ''] = text.replace(/Z$/, '').split('.');
  return BigInt(Date.parse(`${whole}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}

/** Milliseconds since 1970 of such a text: exact enough for a chart. */
export const millis = (text: string): number => Number(nanos(text) / 1000n) / 1000;

/** Nanoseconds since 1970 as the API takes them. */
export const ofMillis = (ms: number): string => (BigInt(Math.round(ms * 1000)) * 1000n).toString();

const two = (n: number) => String(n).padStart(2, '0');

/** `14:05:09.123` in the time zone of the browser, with the date where it is not today. */
export function clock(text: string, options: { digits?: number; date?: boolean } = {}): string {
  const ns = nanos(text);
  const date = new Date(Number(ns / 1_000_000n));
  const digits = options.digits ?? 3;
  const fraction = String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .slice(0, digits);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${digits > 0 ? `.${fraction}` : ''}`;
  const today = new Date().toDateString() === date.toDateString();
  return options.date === true || (options.date === undefined && !today) ? `${day(date)} ${time}` : time;
}

/** `2026-11-30` in the time zone of the browser. */
export const day = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** `2026-11-30 14:05` for people: as `from` and `to` are typed. */
export function minute(ms: number): string {
  const date = new Date(ms);
  const seconds = date.getSeconds() === 0 ? '' : `:${two(date.getSeconds())}`;
  return `${day(date)} ${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

/** How long ago, in one unit: `12 s ago`. */
export function ago(text: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - millis(text)) / 1000);
  if (seconds < 1) return 'now';
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
  ] as const) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return `${Math.floor(seconds)} s ago`;
}

/** A duration with three digits that count: `1.24 ms`. */
export function duration(ns: number | null | undefined): string {
  if (ns === null || ns === undefined || !Number.isFinite(ns)) return '–';
  const sign = ns < 0 ? '−' : '';
  const size = Math.abs(ns);
  if (size === 0) return '0';
  if (size < 1000) return `${sign}${Math.round(size)} ns`;
  if (size < 999_500) return `${sign}${three(size / 1000)} µs`;
  if (size < 999_500_000) return `${sign}${three(size / 1e6)} ms`;
  if (size < 60e9) return `${sign}${three(size / 1e9)} s`;
  const seconds = Math.round(size / 1e9);
  const rest = (value: number, unit: string) => (value === 0 ? '' : ` ${value} ${unit}`);
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)} min${rest(seconds % 60, 's')}`;
  if (seconds < 86_400)
    return `${sign}${Math.floor(seconds / 3600)} h${rest(Math.floor((seconds % 3600) / 60), 'min')}`;
  return `${sign}${Math.floor(seconds / 86_400)} d${rest(Math.floor((seconds % 86_400) / 3600), 'h')}`;
}

const three = (value: number) => String(Number(value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)));

/** A count: `12,345`, and `1.23 M` where that is long. */
export function count(value: number): string {
  if (Math.abs(value) < 100_000) return Math.round(value).toLocaleString('en-US');
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${three(value / size)} ${unit}`;
  }
  return String(value);
}

/** `1 span`, `2 spans`. */
export const plural = (number: number, word: string): string => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

/** A number of any size with three digits that count. */
export function amount(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100_000) return count(value);
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return size >= 0.01 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** A rate a second: `3.2/s`, or a minute or an hour where that is little. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0';
  if (perSecond >= 0.095) return `${amount(perSecond)}/s`;
  return perSecond >= 0.0016 ? `${amount(perSecond * 60)}/min` : `${amount(perSecond * 3600)}/h`;
}

/** `1 span`, `2 spans`. */
export const of = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** A share: `0.4 %`. */
export function percent(share: number): string {
  if (share === 0) return '0 %';
  const value = share * 100;
  return value < 0.1 ? '<0.1 %' : `${value >= 10 ? Math.round(value) : Number(value.toFixed(1))} %`;
}

/** Bytes: `1.2 MiB`. */
export function bytes(value: number): string {
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (value >= size) return `${three(value / size)} ${unit}`;
  }
  return `${value} B`;
}

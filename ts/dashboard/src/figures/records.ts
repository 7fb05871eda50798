/** Log records as a list has them: what tells one from another, and which come twice. Pure. */
import type { LogRecord } from '../wire.js';

/** When it happened, or was seen. */
export const timeOf = (row: LogRecord): string | null => row.time ?? row.observed_time;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number] | 'none';

/** The level of its number, four each. */
export const levelOf = ({ severity_number }: Pick<LogRecord, 'severity_number'>): Level =>
  LEVELS[Math.floor((severity_number - 1) / 4)] ?? 'none';

/** What tells it from others, short enough for a URL: its time, and a number of what it says. */
export function keyOf(row: LogRecord): string {
  const time = timeOf(row)?.replace(/\D/g, '') ?? '0';
  return `${time}-${hash(`${row.service}\n${row.severity_number}\n${row.body}\n${row.span_id ?? ''}`)}`;
}

/** The time of such a key as the API takes it; undefined where it has none. */
export function timeOfKey(key: string): string | undefined {
  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{1,9})-/.exec(key);
  if (!digits) return undefined;
  const [, year, month, day, hour, minute, second, fraction] = digits;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction}Z`;
}

/** FNV-1a. */
function hash(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(36);
}

/** Everything that a record is, to be compared with another one. */
const whole = (row: LogRecord): string => JSON.stringify(row);

/**
 * Without those that are in `known` as well, each once: a tail that was opened before a list was asked for tells some of it again. `known`
 * is the list, newest first.
 */
export function unknownOf(rows: readonly LogRecord[], known: readonly LogRecord[]): readonly LogRecord[] {
  const newest = known[0] && timeOf(known[0]);
  if (!newest) return rows;
  const before = (row: LogRecord) => (timeOf(row) ?? '') <= newest;
  if (!rows.some(before)) return rows;
  const counts = new Map<string, number>();
  for (const row of known) counts.set(whole(row), (counts.get(whole(row)) ?? 0) + 1);
  return rows.filter(row => {
    if (!before(row)) return true;
    const left = counts.get(whole(row)) ?? 0;
    if (left > 0) counts.set(whole(row), left - 1);
    return left === 0;
  });
}

/** What came before what is there, newest first; of more than `most` the latest. */
export function prepended(
  rows: readonly LogRecord[],
  fresh: readonly LogRecord[],
  most: number,
): { readonly rows: readonly LogRecord[]; readonly isCut: boolean } {
  // Records come in the order they were committed, which is nearly that of their times; of one time the last one was committed last.
  const sorted = [...fresh].reverse().sort((a, b) => {
    const [one, other] = [timeOf(a) ?? '', timeOf(b) ?? ''];
    return one < other ? 1 : one > other ? -1 : 0;
  });
  const all = sorted.length + rows.length;
  return { rows: [...sorted, ...rows.slice(0, Math.max(0, most - sorted.length))].slice(0, most), isCut: all > most };
}

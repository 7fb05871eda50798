/** A heat map of how many values a histogram had in each bucket over time. */
import { millis } from '../parts/time.js';
import type { Line } from '../wire.js';

export interface Heat {
  /** Ends of steps in seconds since 1970, ascending, none left out. */
  readonly times: readonly number[];
  /** Buckets, the least values first, without gaps between them. */
  readonly rows: readonly Row[];
  /** The most values of a cell. */
  readonly most: number;
}

/** One bucket: values above its lower end, up to its upper one. */
export interface Row {
  /** -Infinity where it has no lower end. */
  readonly above: number;
  /** Infinity where it has no upper end. */
  readonly upTo: number;
  /** Values a time. */
  readonly counts: readonly number[];
}

/** The heat map of lines that are buckets; those of the same bucket are added. */
export function heat(lines: readonly Line[], step: number): Heat {
  const found = new Map<string, { above: number; upTo: number; counts: Map<number, number> }>();
  const ends = new Set<number>();
  for (const line of lines) {
    const [above, upTo] = [line.above ?? -Infinity, line.up_to ?? Infinity];
    const key = `${above} ${upTo}`;
    const row = found.get(key) ?? { above, upTo, counts: new Map<number, number>() };
    found.set(key, row);
    for (const { time, value } of line.points) {
      const end = millis(time) / 1000;
      ends.add(end);
      row.counts.set(end, (row.counts.get(end) ?? 0) + (value ?? 0));
    }
  }
  const times = steps([...ends], step / 1e9);
  const known = [...found.values()].sort((a, b) => a.above - b.above || a.upTo - b.upTo);
  const rows: Row[] = [];
  for (const { above, upTo, counts } of known) {
    const before = rows.at(-1);
    // Buckets without values are not told.
    if (before && before.upTo < above) rows.push({ above: before.upTo, upTo: above, counts: times.map(() => 0) });
    rows.push({ above, upTo, counts: times.map(time => counts.get(time) ?? 0) });
  }
  const most = rows.reduce((most, { counts }) => counts.reduce((most, count) => Math.max(most, count), most), 0);
  return { times, rows, most };
}

function steps(ends: number[], step: number): number[] {
  ends.sort((a, b) => a - b);
  const all: number[] = [];
  for (const end of ends) {
    const before = all.at(-1);
    if (before !== undefined && step > 0) {
      for (let next = before + step; next < end - step / 2 && all.length < 20_000; next += step) all.push(next);
    }
    all.push(end);
  }
  return all;
}

/** How strong a cell is drawn, 0 to 1: few values beside many are still to be seen. */
export function strength(count: number, most: number): number {
  return count <= 0 || most <= 0 ? 0 : 0.12 + 0.88 * Math.sqrt(count / most);
}

/** The cell under a point: shares of the width and of the height, from the left and from below. */
export function cellAt({ times, rows }: Heat, x: number, y: number): { row: Row; time: number; count: number } | null {
  const [column, at] = [Math.floor(x * times.length), Math.floor(y * rows.length)];
  const [row, time] = [rows[at], times[column]];
  return row && time !== undefined ? { row, time, count: row.counts[column]! } : null;
}

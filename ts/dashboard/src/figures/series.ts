/** Lines of one metric as a chart takes them: columns over the same times. */
import { millis } from '../parts/time.js';
import type { Line, Series } from '../wire.js';

export interface Columns {
  /** Seconds since 1970, ascending, none left out. */
  readonly times: readonly number[];
  /** For each line a value a time; null where it has none. */
  readonly values: readonly (readonly (number | null)[])[];
}

/**
 * Without the last step where it has not ended, so that it has less than a whole one: a rate or a quantile of few seconds would look like
 * something that happened. The latest value of a gauge is one at any time.
 */
export function ended(lines: readonly Line[], step: number): readonly Line[] {
  const length = step / 1e6;
  const isWhole = (time: string) => Math.abs(millis(time) / length - Math.round(millis(time) / length)) < 1e-6;
  return lines.map(line => {
    const last = line.points.at(-1);
    if (!last || line.show === 'value' || line.points.length < 3 || isWhole(last.time)) return line;
    return { ...line, points: line.points.slice(0, -1) };
  });
}

/** More than that many steps make no better picture. */
const MOST = 20_000;

/** Columns over all steps from the first to the last one, so that a gap is a gap. */
export function aligned(lines: readonly Line[], step: number): Columns {
  const stepMillis = step / 1e6;
  const known = new Set<number>();
  const points = lines.map(line => {
    const values = new Map<number, number | null>();
    for (const point of line.points) {
      const time = millis(point.time);
      known.add(time);
      values.set(time, point.value);
    }
    return values;
  });
  const times = filled(
    [...known].sort((a, b) => a - b),
    stepMillis,
  );
  return {
    times: times.map(time => time / 1000),
    values: points.map(values => times.map(time => values.get(time) ?? null)),
  };
}

/** With the steps between: the last one ends where the range does, and not at a multiple. */
function filled(known: readonly number[], step: number): number[] {
  const times: number[] = [];
  for (const time of known) {
    const before = times.at(-1);
    if (before !== undefined && step >= 1) {
      // Half a step is room for a range that ends within one.
      for (let next = before + step; next < time - step / 2 && times.length < MOST; next += step) times.push(next);
    }
    times.push(time);
  }
  return times;
}

/** What a line is called: its labels, and of which share it is. */
export function nameOf(line: Line): string {
  const labels = Object.entries(line.labels).map(([key, value]) =>
    key === 'service' ? value || '(no service)' : `${key.replace(/^(attr|resource):/, '')}=${value}`,
  );
  const share = line.quantile === undefined ? [] : [`p${Number((line.quantile * 100).toPrecision(6))}`];
  return [...labels, ...share].join(' ') || 'all';
}

/** How many values a split shows; what is behind them is one more, "other". */
export const SPLIT = 10;

/** Words that ask for all that the lines of a split do not show: everything else, as one line. Nothing where nothing is left out. */
export function otherWords(series: Series, by: string): readonly (readonly [word: string, value: string])[] | null {
  if (!series.left_out) return null;
  const key = by.replace(/^(attr|resource):/, '');
  const word = by === 'service' ? 'service' : by.startsWith('resource:') ? 'resource' : 'attr';
  const label = word === 'attr' ? `attr:${key}` : by;
  const words: (readonly [string, string])[] = [];
  const seen = new Set<string | undefined>();
  for (const { labels } of series.lines) {
    const value = labels[label];
    if (seen.has(value)) continue;
    seen.add(value);
    if (word === 'service') words.push(['service', `!${quotedName(value ?? '')}`]);
    else if (value === undefined) words.push([word, quoted(key)]);
    else words.push([word, `${quoted(key)}!=${quotedValue(value)}`]);
  }
  return words;
}

/** A key with an operator in it is written as a JSON string. */
export function quoted(key: string): string {
  return /[=!<>~]/.test(key) || key.startsWith('"') ? JSON.stringify(key) : key;
}

/** As above, a value that begins and ends with a double quote. */
export function quotedValue(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? JSON.stringify(value) : value;
}

/** As above, the name of a service, where `!` and `~` mean something. */
export function quotedName(name: string): string {
  return name === '' || /^[!~"]/.test(name) ? JSON.stringify(name) : name;
}

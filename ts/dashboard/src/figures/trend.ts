/** Counts of an error over time, with the steps that have none. */
import { millis } from '../parts/time.js';

/** More make no better picture of this size. */
const MOST = 240;

/** Counts of each step of a range, in milliseconds; where it is open, from the first step with some to the last one. */
export function trend(
  buckets: readonly { readonly time: string; readonly count: number }[],
  step: number,
  [from, to]: readonly [number | undefined, number | undefined] = [undefined, undefined],
): number[] {
  const length = Math.max(step / 1e6, 1);
  const told = buckets.map(({ time, count }) => [Math.floor(millis(time) / length), count] as const);
  if (told.length === 0) return [];
  const first = from === undefined ? told[0]![0] - 1 : Math.min(Math.floor(from / length), told[0]![0]);
  const last = to === undefined ? told.at(-1)![0] + 1 : Math.max(Math.floor(to / length), told.at(-1)![0]);
  const wide = Math.max(1, Math.ceil((last - first + 1) / MOST));
  const values = new Array<number>(Math.ceil((last - first + 1) / wide)).fill(0);
  for (const [at, count] of told) values[Math.floor((at - first) / wide)]! += count;
  return values;
}

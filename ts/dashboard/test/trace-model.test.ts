import { describe, expect, test } from 'vitest';
import {
  criticalPath,
  flames,
  isClosed,
  modelOf,
  named,
  next,
  operations,
  rowsOf,
  ticks,
  withAbove,
} from '../src/pages/trace/model.js';
import type { Bar } from '../src/wire.js';

/** Bars of `[depth, name, start, duration]`, in the order of the tree. */
type Row = readonly [depth: number, name: string, start: number, duration: number, status?: string];

function bars(...list: Row[]): Bar[] {
  const above: number[] = [];
  return list.map(([depth, name, start, duration, status = 'unset'], at) => {
    above[depth] = at;
    const children = list.filter(
      ([d], i) => i > at && d === depth + 1 && !list.slice(at + 1, i).some(([e]) => e <= depth),
    ).length;
    return {
      id: at.toString(16).padStart(16, '0'),
      parent: depth === 0 ? null : above[depth - 1]!,
      depth,
      name,
      service: name[0]!,
      start,
      duration,
      status,
      kind: 'internal',
      events: 0,
      logs: 0,
      children,
      hidden: 0,
    };
  });
}

const all = { open: new Set<number>(), closed: new Set<number>() };
const rows = (...args: Parameters<typeof rowsOf>) => [...rowsOf(...args)];

const TREE = bars(
  [0, 'root', 0, 100],
  [1, 'a', 10, 40],
  [2, 'b', 15, 20],
  [2, 'c', 30, 30],
  [1, 'd', 60, 35],
  [0, 'other', 5, 10],
);

describe('rows', () => {
  const model = modelOf(TREE);
  test('subtrees end where the next span of their level begins', () => {
    expect([...model.end]).toEqual([5, 4, 3, 4, 5, 6]);
    expect([model.deepest, model.duration]).toEqual([3, 100]);
  });
  test('what is closed hides what is below it, by level and one by one', () => {
    expect(rows(model, all)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(rows(model, { ...all, closed: new Set([1]) })).toEqual([0, 1, 4, 5]);
    expect(rows(model, { ...all, level: 1 })).toEqual([0, 5]);
    expect(rows(model, { ...all, level: 2 })).toEqual([0, 1, 4, 5]);
    expect(rows(model, { ...all, level: 1, open: new Set([0]) })).toEqual([0, 1, 4, 5]);
    expect(rows(model, { ...all, level: 2, open: new Set([1]) })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(isClosed(model, { ...all, level: 1, open: new Set([0]) }, 1)).toBe(true);
  });
  test('a span as the root shows its subtree alone', () => {
    expect(rows(model, all, 1)).toEqual([1, 2, 3]);
    expect(rows(model, all, 5)).toEqual([5]);
  });
  test('what is found is shown with everything above it, closed or not', () => {
    expect(rows(model, { ...all, level: 1 }, undefined, withAbove(model, [3]))).toEqual([0, 1, 3]);
    expect(rows(model, all, undefined, withAbove(model, []))).toEqual([]);
    expect(named(model, 'ROOT')).toEqual([0]);
    expect(named(model, 'o')).toEqual([0, 5]);
  });
  test('next and the one before go round', () => {
    expect([next([2, 5], undefined), next([2, 5], 2), next([2, 5], 3), next([2, 5], 5), next([], 1)]).toEqual([
      2,
      5,
      5,
      2,
      undefined,
    ]);
    expect([next([2, 5], undefined, true), next([2, 5], 5, true), next([2, 5], 2, true)]).toEqual([5, 2, 5]);
  });
  test('fifty thousand spans below one another, and beside one another', () => {
    const deep = modelOf(bars(...Array.from({ length: 3_000 }, (_, i) => [i, 's', i, 6_000 - i] as const)));
    expect([deep.end[0], deep.deepest]).toEqual([3_000, 3_000]);
    expect(criticalPath(deep).size).toBeGreaterThan(2_900);
    const wide = Array.from(
      { length: 50_000 },
      (_, i): Bar => ({
        id: String(i),
        parent: i === 0 ? null : 0,
        depth: i === 0 ? 0 : 1,
        name: `n${i % 7}`,
        service: 's',
        start: i,
        duration: i === 0 ? 60_000 : 3,
        status: 'unset',
        kind: '',
        events: 0,
        logs: 0,
        children: i === 0 ? 49_999 : 0,
        hidden: 0,
      }),
    );
    const model = modelOf(wide);
    expect(rowsOf(model, all).length).toBe(50_000);
    expect(model.self[0]).toBe(60_000 - 50_001);
    expect(flames(model)).toHaveLength(8);
  });
});

describe('self time', () => {
  const self = (...list: Row[]) => [...modelOf(bars(...list)).self];
  test('is what no child covers: side by side, overlapping, beyond the parent', () => {
    expect(self([0, 'r', 0, 100], [1, 'a', 10, 20], [1, 'b', 50, 20])).toEqual([60, 20, 20]);
    expect(self([0, 'r', 0, 100], [1, 'a', 10, 40], [1, 'b', 30, 40])).toEqual([40, 40, 40]);
    expect(self([0, 'r', 0, 100], [1, 'a', 10, 60], [1, 'b', 20, 10])).toEqual([40, 60, 10]);
    expect(self([0, 'r', 10, 50], [1, 'a', 0, 100])).toEqual([0, 100]);
    expect(self([0, 'r', 10, 50], [1, 'a', 100, 10])).toEqual([50, 10]);
    expect(self([0, 'r', 10, 0], [1, 'a', 10, 5])).toEqual([0, 5]);
  });
  test('adds up over operations', () => {
    const list = operations(modelOf(bars([0, 'r', 0, 100], [1, 'a', 10, 20, 'error'], [1, 'a', 50, 30])));
    expect(
      list.map(({ name, count, errors, self, total, longest }) => [name, count, errors, self, total, longest]),
    ).toEqual([
      ['a', 2, 1, 50, 50, 2],
      ['r', 1, 0, 50, 100, 0],
    ]);
  });
});

describe('the critical path', () => {
  const path = (...list: Row[]) =>
    [...criticalPath(modelOf(bars(...list)))]
      .sort(([a], [b]) => a - b)
      .map(([at, segments]) => [at, segments.map(({ from, to }) => [from, to]).sort(([a], [b]) => a! - b!)]);
  test('goes back over the child that ended last', () => {
    expect(path([0, 'r', 0, 100], [1, 'a', 10, 40], [1, 'b', 60, 30])).toEqual([
      [
        0,
        [
          [0, 10],
          [50, 60],
          [90, 100],
        ],
      ],
      [1, [[10, 50]]],
      [2, [[60, 90]]],
    ]);
  });
  test('leaves out what ran beside what was waited for', () => {
    expect(path([0, 'r', 0, 100], [1, 'a', 10, 80], [1, 'b', 20, 30])).toEqual([
      [
        0,
        [
          [0, 10],
          [90, 100],
        ],
      ],
      [1, [[10, 90]]],
    ]);
  });
  test('cuts what goes on behind its parent, and takes roots one after the other', () => {
    expect(path([0, 'r', 0, 50], [1, 'a', 40, 30])).toEqual([
      [0, [[0, 40]]],
      [1, [[40, 50]]],
    ]);
    const total = path([0, 'r', 0, 40], [0, 's', 50, 50])
      .flatMap(([, segments]) => segments as number[][])
      .reduce((sum, [from, to]) => sum + to! - from!, 0);
    expect(total).toBe(90);
  });
  test('never counts a moment twice', () => {
    for (let seed = 1; seed < 40; seed += 1) {
      let state = seed;
      const random = (most: number) => {
        state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
        return state % most;
      };
      const list: [number, string, number, number][] = [[0, 'r', 0, 1_000]];
      for (let i = 0, depth = 0; i < 30; i += 1) {
        depth = 1 + random(depth + 1);
        list.push([depth, `s${i}`, random(900), 1 + random(300)]);
      }
      const segments = [...criticalPath(modelOf(bars(...list))).values()].flat().sort((a, b) => a.from - b.from);
      for (const [i, segment] of segments.slice(1).entries())
        expect(segment.from).toBeGreaterThanOrEqual(segments[i]!.to);
    }
  });
});

test('boxes of the flame graph are within those they are in, and as wide as their time', () => {
  const boxes = flames(
    modelOf(bars([0, 'r', 0, 100], [1, 'a', 0, 20], [1, 'a', 20, 20], [2, 'x', 20, 10], [1, 'b', 50, 10])),
  );
  expect(boxes.map(({ name, count, depth, self, total }) => [name, count, depth, self, total])).toEqual([
    ['r', 1, 0, 50, 100],
    ['a', 2, 1, 30, 40],
    ['x', 1, 2, 10, 10],
    ['b', 1, 1, 10, 10],
  ]);
  expect(boxes.map(({ x, width }) => [x, width].map(share => Math.round(share * 100)))).toEqual([
    [0, 100],
    [0, 40],
    [0, 10],
    [40, 10],
  ]);
});

test('ticks are round', () => {
  expect(ticks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks(12, 19, 6)).toEqual([12, 14, 16, 18]);
  expect(ticks(5, 5, 6)).toEqual([]);
});

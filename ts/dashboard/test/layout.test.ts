/** Where the map draws what: columns, crossings, circles, and graphs of any shape. */
import { expect, test } from 'vitest';
import { curve, type Link, layout, SIZES } from '../src/figures/layout.js';

const links = (text: string): Link[] =>
  text.split(' ').map(pair => ({ from: pair.split('>')[0]!, to: pair.split('>')[1]! }));
const names = (all: readonly Link[]) => [...new Set(all.flatMap(({ from, to }) => [from, to]))];
const columnsOf = (text: string) => {
  const all = links(text);
  const { places } = layout(names(all), all);
  return Object.fromEntries([...places].map(([name, { column }]) => [name, column]));
};

test('what is called is at the right of all that call it', () => {
  expect(columnsOf('web>shop shop>db web>db shop>bank bank>db')).toEqual({ web: 0, shop: 1, bank: 2, db: 3 });
  expect(columnsOf('a>b c>d')).toEqual({ a: 0, b: 1, c: 0, d: 1 });
});

test('circles are opened where they are entered, and everybody has a place', () => {
  expect(columnsOf('web>a a>b b>c c>a')).toEqual({ web: 0, a: 1, b: 2, c: 3 });
  expect(columnsOf('a>b b>a')).toEqual({ a: 0, b: 1 });
  expect(columnsOf('a>a a>b')).toEqual({ a: 0, b: 1 });
  const all = links('web>a a>b b>c c>a');
  const { ways } = layout(names(all), all);
  // The one that leads back leaves at the left and arrives at the right.
  expect(ways[3]![0]![0]).toBeGreaterThan(ways[3]!.at(-1)![0]);
});

test('no two nodes lie on each other, and none is outside', () => {
  let state = 7;
  const random = (most: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % most;
  };
  for (let round = 0; round < 60; round++) {
    const count = 1 + random(30);
    const all = Array.from({ length: random(60) }, () => ({ from: `n${random(count)}`, to: `n${random(count)}` }));
    const nodes = Array.from({ length: count }, (_, at) => `n${at}`);
    const { places, ways, width, height } = layout(nodes, all);
    expect(places.size).toBe(count);
    expect(ways.length).toBe(all.length);
    const placed = [...places.values()];
    for (const [at, a] of placed.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(SIZES.width / 2);
      expect(a.x).toBeLessThanOrEqual(width - SIZES.width / 2);
      expect(a.y).toBeGreaterThanOrEqual(SIZES.height / 2);
      expect(a.y).toBeLessThanOrEqual(height - SIZES.height / 2);
      for (const b of placed.slice(at + 1)) {
        expect(Math.abs(a.x - b.x) >= SIZES.width || Math.abs(a.y - b.y) >= SIZES.height).toBe(true);
      }
    }
    // The same graph, the same picture.
    expect(layout(nodes, all)).toEqual(layout(nodes, all));
  }
});

test('crossings that need not be are not there', () => {
  // In the order of their names the two links would cross.
  const { places } = layout(['a', 'b', 'x', 'y'], links('a>y b>x'));
  const up = (name: string) => places.get(name)!.y;
  expect(Math.sign(up('a') - up('b'))).toBe(Math.sign(up('y') - up('x')));
});

test('nothing, one node, long chains and links to what is not there', () => {
  expect(layout([], [])).toMatchObject({ width: 0, height: 0 });
  expect(layout(['a'], []).places.get('a')).toMatchObject({ column: 0 });
  const chain = Array.from({ length: 20_000 }, (_, at) => ({ from: `${at}`, to: `${at + 1}` }));
  expect(layout(names(chain), chain).places.get('20000')!.column).toBe(20_000);
  expect(layout(['a'], links('a>b')).ways).toEqual([[]]);
  expect(curve([])).toBe('');
  expect(
    curve([
      [0, 0],
      [10, 20],
    ]),
  ).toBe('M0,0C5,0 5,20 10,20');
});

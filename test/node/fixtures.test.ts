import { readdirSync, readFileSync } from 'node:fs';
import { decode, encode, type Signal } from 'otlp-arrow';
import { expect, test } from 'vitest';
import { normalRows, rows } from './cells.js';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, FIXTURES));
const cases = readdirSync(FIXTURES)
  .filter(name => name.endsWith('.request.json'))
  .map(name => name.replace('.request.json', ''));

test.each(cases)('%s gives what Rust and Python get from it', async name => {
  const signal = name.split('-')[0] as Signal;
  const expected = JSON.parse(read(`${name}.rows.json`).toString());
  const refused = Object.values<number>(expected.refused).reduce((sum, count) => sum + count, 0);
  for (const [suffix, format] of [
    ['json', 'json'],
    ['binpb', 'protobuf'],
  ] as const) {
    const { table, rejected } = await decode(signal, read(`${name}.request.${suffix}`), format);
    expect(rejected).toBe(refused);
    expect(rows(table)).toEqual(normalRows(expected.rows, table));
    expect(Buffer.from(await encode(signal, table, 'json'))).toEqual(read(`${name}.encoded.json`));
    const again = await decode(signal, await encode(signal, table));
    expect(rows(again.table)).toEqual(rows(table));
  }
});

test('there are fixtures', () => expect(cases.length).toBeGreaterThanOrEqual(7));

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { expect, test } from 'vitest';
import { Snapshot } from '#dist/snapshot.js';
import { directory, files, open, rows, span } from './support.js';
import 'otlp-arrow/arrow';

test('a sealed, compressed file opens in one line of apache-arrow', async () => {
  const outputDir = directory();
  const library = await open({ outputDir });
  await library.exportTraces(Array.from({ length: 500 }, (_, n) => span(`s${n}`)));
  await library.shutdown();
  const [name] = files(outputDir, 'traces');
  expect(name).toMatch(/\.arrow$/);
  const table = tableFromIPC(readFileSync(join(outputDir, 'otlp/traces', name!)));
  expect(table.numRows).toBe(500);
  expect(table.get(7)?.attributes['http.route']).toBe('/s7');
  expect(table.getChild('start_time')?.data[0]?.values[0]).toBe(1_700_000_000_000_000_001n);
});

test('live and sealed files are read as one', async () => {
  const outputDir = directory();
  const first = await open({ outputDir });
  await first.exportTraces([span('sealed')]);
  await first.shutdown();
  const second = await open({ outputDir });
  await second.exportTraces([span('live')]);
  expect(
    files(outputDir, 'traces')
      .map(name => name.replace(/^.*\./, ''))
      .toSorted(),
  ).toEqual(['arrow', 'arrows']);
  expect(rows(await second.read('traces')).map(row => row.name)).toEqual(['sealed', 'live']);
});

test('read: columns, limit, times, batches, bytes', async () => {
  const library = await open();
  for (let n = 0; n < 4; n++) await library.exportTraces([span(`s${n}`, { startTime: [1_700_000_000 + n, 0] })]);
  const names = async (options: object) =>
    rows(await library.read('traces', { columns: ['name'], ...options })).map(row => row.name);
  expect(await names({})).toEqual(['s0', 's1', 's2', 's3']);
  expect(await names({ limit: 2 })).toEqual(['s0', 's1']);
  expect(await names({ from: new Date(1_700_000_001_000), to: 1_700_000_003_000_000_000n })).toEqual(['s1', 's2']);

  const table = await library.read('traces', { columns: ['service_name', 'name'], limit: 1 });
  expect(table.schema.fields.map(field => field.name)).toEqual(['service_name', 'name']);
  expect(String(table.schema.fields[0]!.type)).toBe('Utf8');
  const dictionaries = await library.read('traces', { columns: ['name'], dictionaries: true });
  expect(String(dictionaries.schema.fields[0]!.type)).toContain('Dictionary');

  let seen = 0;
  for await (const batch of library.read('traces')) seen += batch.numRows;
  expect(seen).toBe(4);

  const pieces: Uint8Array[] = [];
  for await (const piece of library.readIpc('traces')) pieces.push(piece);
  expect(tableFromIPC(Buffer.concat(pieces)).numRows).toBe(4);
  expect(tableFromIPC(await library.readIpc('traces')).numRows).toBe(4);
  await expect(Promise.resolve(library.read('traces', { columns: ['nome'] }))).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
  });
});

test('a directory without rows is a table without rows, with the columns', async () => {
  const library = await open();
  for (const signal of ['traces', 'metrics', 'logs'] as const) {
    const table = await library.read(signal);
    expect(table.numRows).toBe(0);
    expect(table.schema.fields.map(field => field.name)).toContain('attributes');
  }
  const narrow = await library.read('logs', { columns: ['body'] });
  expect(narrow.schema.fields.map(field => field.name)).toEqual(['body']);
});

test('a loop that is left early lets go of the files', async () => {
  const library = await open();
  await library.exportTraces([span('a')]);
  for await (const batch of library.read('traces')) {
    expect(batch.numRows).toBe(1);
    break;
  }
  await library.shutdown();
});

test('a loop over batches takes the pieces one by one, and ends them however it ends', async () => {
  const library = await open();
  for (let n = 0; n < 4; n++) await library.exportTraces([span(`s${n}`)]);
  const whole = await library.read('traces', { columns: ['name'] });
  const each = [0, 1, 2, 3].flatMap(n => whole.slice(n, n + 1).batches);
  const bytes = tableToIPC(new Table(each), 'stream');
  const pieces = Array.from({ length: Math.ceil(bytes.length / 64) }, (_, n) => bytes.subarray(n * 64, n * 64 + 64));
  expect(each).toHaveLength(4);
  let taken = 0;
  let ended = 0;
  const source = {
    // biome-ignore lint/suspicious/noThenProperty: what readIpc() gives can be awaited too
    then: () => Promise.reject(new Error('awaited whole')),
    async *[Symbol.asyncIterator]() {
      try {
        for (const piece of pieces) {
          taken++;
          yield piece;
        }
      } finally {
        ended++;
      }
    },
  };
  const batches = new Snapshot(source as unknown as ConstructorParameters<typeof Snapshot>[0]);
  for await (const batch of batches) {
    expect(batch.numRows).toBe(1);
    break;
  }
  expect(taken).toBeLessThan(pieces.length);
  expect(ended).toBe(1);
  const failing = async () => {
    for await (const _ of batches) throw new Error('out of the loop');
  };
  await expect(failing()).rejects.toThrow('out of the loop');
  expect(ended).toBe(2);
  taken = 0;
  const names: string[] = [];
  for await (const batch of batches) names.push(...rows(new Table(batch)).map(row => row.name));
  expect(names).toEqual(['s0', 's1', 's2', 's3']);
  expect([taken, ended]).toEqual([pieces.length, 3]);
});

test('CommonJS gets the same package', () => {
  const required = createRequire(import.meta.url)('otlp-arrow/arrow');
  expect(required.zstdCodec.decode).toBeTypeOf('function');
});

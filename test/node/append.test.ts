/** Rows of the storage schema that go in: read, followed and forwarded as if they had come by OTLP. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RecordBatch, Schema, Table, tableFromIPC, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { decode, encode, OtlpLibrary, type Signal } from 'otlp-arrow';
import { describe, expect, test, vi } from 'vitest';
import { rows as cells } from './cells.js';
import { directory, open, rows, span } from './support.js';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, FIXTURES));
const cases = readdirSync(FIXTURES)
  .filter(name => name.endsWith('.request.json'))
  .map(name => name.replace('.request.json', ''));
const signalOf = (name: string) => name.split('-')[0] as Signal;
const tableOf = async (name: string) => (await decode(signalOf(name), read(`${name}.request.binpb`))).table;

/** What a fixture's rows are as OTLP/JSON. */
const expected = (name: string) => read(`${name}.encoded.json`).toString();
const asJson = async (signal: Signal, from: OtlpLibrary) =>
  Buffer.from(await encode(signal, await from.readIpc(signal), 'json')).toString();

test.each(cases)('%s is kept as OTLP would have been, live and sealed', async name => {
  const [signal, table, outputDir] = [signalOf(name), await tableOf(name), directory()];
  const library = await OtlpLibrary.open({ outputDir });
  const outcome = { accepted: table.numRows, rejected: 0, message: '' };
  expect(await library.append(signal, table)).toEqual(outcome);
  expect(cells(await library.read(signal))).toEqual(cells(table));
  expect(await asJson(signal, library)).toBe(expected(name));
  await library.shutdown();
  const again = await OtlpLibrary.open({ outputDir });
  expect(await asJson(signal, again)).toBe(expected(name));
  await again.shutdown();
});

test.each(cases)('%s is followed and forwarded', async name => {
  const [signal, table] = [signalOf(name), await tableOf(name)];
  const far = await open({ listen: { grpc: '127.0.0.1:0' } });
  const library = await open({ forward: { endpoint: `http://${far.addresses().grpc}` } });
  const subscription = await library.subscribe(signal, 'follower');
  await library.append(signal, table);
  const next = await subscription.next();
  expect(cells(new Table(next.value!))).toEqual(cells(table));
  await subscription.close();
  await vi.waitFor(async () => expect((await far.read(signal)).numRows).toBe(table.numRows), 20_000);
  expect(await asJson(signal, far)).toBe(expected(name));
});

describe('rows come as', () => {
  const name = 'traces-official';
  const forms: Record<string, (table: Table) => Table | RecordBatch | Uint8Array> = {
    'a table': table => table,
    'a record batch': table => table.batches[0]!,
    'the bytes of a stream': table => tableToIPC(table, 'stream'),
    'the bytes of a file': table => tableToIPC(table, 'file'),
  };
  test.each(Object.keys(forms))('%s', async form => {
    const [library, table] = [await open(), await tableOf(name)];
    expect((await library.append('traces', forms[form]!(table))).accepted).toBe(table.numRows);
    expect(await asJson('traces', library)).toBe(expected(name));
  });
  test('a file that was sealed', async () => {
    const [outputDir, library] = [directory(), await open()];
    const first = await OtlpLibrary.open({ outputDir });
    await first.append('traces', await tableOf(name));
    await first.shutdown();
    const folder = join(outputDir, 'otlp/traces');
    for (const file of readdirSync(folder)) await library.append('traces', readFileSync(join(folder, file)));
    expect(await asJson('traces', library)).toBe(expected(name));
  });
  test('a live file of several commits, each with dictionaries of its own', async () => {
    const [outputDir, library] = [directory(), await open()];
    const from = await open({ outputDir });
    for (const letter of 'abcd') await from.exportTraces([span(letter), span(letter + letter)]);
    const folder = join(outputDir, 'otlp/traces');
    const bytes = readFileSync(join(folder, readdirSync(folder)[0]!));
    await library.append('traces', bytes);
    const opened = tableFromIPC(bytes);
    expect(opened.batches).toHaveLength(4);
    await library.append('traces', opened);
    const names = ['a', 'aa', 'b', 'bb', 'c', 'cc', 'd', 'dd'];
    expect(rows(await library.read('traces')).map(row => row.name)).toEqual([...names, ...names]);
  });
  test('what was read', async () => {
    const [from, library] = [await open(), await open()];
    await from.exportOtlp('traces', read(`${name}.request.binpb`));
    await library.append('traces', await from.read('traces'));
    await library.append('traces', await from.readIpc('traces'));
    for await (const batch of from.read('traces', { dictionaries: true })) await library.append('traces', batch);
    const once = rows(await from.read('traces'));
    expect(rows(await library.read('traces'))).toEqual([...once, ...once, ...once]);
  });
});

test('several batches are one commit, and bytes may be changed at once', async () => {
  const library = await open();
  const table = await tableOf('logs-bodies');
  const twice = new Table(table.schema, [...table.batches, ...table.batches]);
  const bytes = tableToIPC(twice, 'stream');
  const appended = library.append('logs', bytes);
  bytes.fill(0);
  expect((await appended).accepted).toBe(2 * table.numRows);
  const stats = library.stats();
  expect(stats.committedRecords.logs).toBe(2 * table.numRows);
  const seconds = stats.counters.find(
    ({ name, labels }) => name === 'otlp_arrow_commit_seconds' && labels.signal === 'logs',
  );
  expect(seconds).toMatchObject({ count: 1 });
});

test('a table that was handed over before a shutdown is kept', async () => {
  const [outputDir, table] = [directory(), await tableOf('logs-bodies')];
  const library = await OtlpLibrary.open({ outputDir });
  const appended = library.append('logs', table);
  await library.shutdown();
  expect((await appended).accepted).toBe(table.numRows);
});

const invalid = (message: string | RegExp) => ({
  code: 'INVALID_DATA',
  retryable: false,
  message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

test('what is wrong is named, and nothing of it is kept', async () => {
  const library = await open();
  const table = await tableOf('traces-official');
  const numbers = vectorFromArray(Array.from({ length: table.numRows }, () => 1));
  const texts = vectorFromArray(
    Array.from({ length: table.numRows }, () => 'boss'),
    new Utf8(),
  );
  const names = table.schema.names.filter(name => name !== 'start_time');
  const wrong: [Table, string][] = [
    [table.assign(new Table({ kind: numbers })), 'column kind is of type Float64, and must be text: Utf8'],
    [table.select(names), 'column start_time is missing or has only nulls, and must be Timestamp(ns)'],
    [table.assign(new Table({ colour: texts })), 'column colour is not one of traces in storage schema v1'],
    [table.assign(new Table({ kind: texts })), 'row 0, column kind: is not one of the names'],
  ];
  for (const [rows, message] of wrong) {
    await expect(library.append('traces', rows)).rejects.toMatchObject(invalid(message));
  }
  await expect(library.append('logs', table)).rejects.toMatchObject(invalid('these are the columns of traces'));
  await expect(library.append('traces', [] as never)).rejects.toMatchObject(invalid('rows are []'));
  await expect(library.append('spans' as never, table)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  const stats = library.stats();
  expect([stats.acceptedRecords.traces, stats.bufferBytes]).toEqual([0, 0]);
});

test('bytes that are not Arrow IPC are refused, wherever they are wrong', async () => {
  const library = await open();
  const table = await tableOf('logs-bodies');
  const text = 'this is not an Arrow IPC stream or file';
  for (const bytes of [
    new Uint8Array(),
    new Uint8Array([1, 2, 3]),
    Buffer.from('ARROW1'),
    Buffer.from('ARROW1'.repeat(9)),
  ])
    await expect(library.append('logs', bytes)).rejects.toMatchObject(invalid(text));
  let refused = 0;
  for (const form of ['stream', 'file'] as const) {
    const whole = tableToIPC(table, form);
    for (let at = 0; at < whole.length; at += 61) {
      const changed = Uint8Array.from(whole);
      changed[at] = changed[at]! ^ 0xff;
      const cut = whole.slice(0, at);
      for (const bytes of [changed, cut]) {
        await library.append('logs', bytes).catch(error => {
          expect(['INVALID_DATA', 'TOO_LARGE']).toContain(error.code);
          refused++;
        });
      }
    }
  }
  expect(refused).toBeGreaterThan(50);
  // Whatever was taken can be read and written as OTLP.
  await encode('logs', await library.readIpc('logs'));
});

test('too much at once is TOO_LARGE, and a closed library is CLOSED', async () => {
  const library = await OtlpLibrary.open({ outputDir: directory(), limits: { maxRequestMemory: '1MiB' } });
  const table = await tableOf('logs-bodies');
  const many = new Table(
    table.schema,
    Array.from({ length: 1000 }, () => table.batches[0]!),
  );
  await expect(library.append('logs', many)).rejects.toMatchObject({
    code: 'TOO_LARGE',
    retryable: false,
    message: expect.stringContaining('limits.max_request_memory'),
  });
  expect((await library.read('logs')).numRows).toBe(0);
  await library.shutdown();
  await expect(library.append('logs', table)).rejects.toMatchObject({ code: 'CLOSED' });
});

test('an empty table is kept as what it is', async () => {
  const library = await open();
  const { schema } = await tableOf('logs-bodies');
  const empty = new Table(new Schema(schema.fields), []);
  expect(await library.append('logs', empty)).toEqual({ accepted: 0, rejected: 0, message: '' });
});

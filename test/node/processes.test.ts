import { Worker } from 'node:worker_threads';
import { OtlpLibrary } from 'otlp-arrow';
import { describe, expect, test } from 'vitest';
import { fixture, node } from './children.js';
import { directory, files, readDirectory } from './support.js';

const wanted = Array.from({ length: 10 }, (_, n) => `s${n}`);
const names = async (outputDir: string) => (await readDirectory(outputDir, 'traces')).map(row => row.name).toSorted();

describe('a program that ends without shutdown keeps what it exported', () => {
  test.each([
    ['itself', 0, null],
    ['unawaited', 0, null],
    ['exit', 3, null],
    ['throw', 1, null],
    ['shutdown', 0, null],
  ] as const)('%s', async (how, code, signal) => {
    const outputDir = directory();
    const ended = await node([fixture('exit'), how, outputDir]);
    expect(ended, ended.stderr).toMatchObject({ code, signal });
    expect(files(outputDir, 'traces').every(name => name.endsWith('.arrow'))).toBe(true);
    expect(await names(outputDir)).toEqual(wanted);
  });

  test.skipIf(process.platform === 'win32')('killed, and the next one recovers its file and says so', async () => {
    const outputDir = directory();
    expect(await node([fixture('exit'), 'kill', outputDir])).toMatchObject({ signal: 'SIGKILL' });
    expect(files(outputDir, 'traces').some(name => name.endsWith('.arrows'))).toBe(true);
    const library = await OtlpLibrary.open({ outputDir, storage: { minFreeBytes: '0B' } });
    const event = await new Promise(resolve => library.on('event', resolve));
    expect(event).toMatchObject({ name: 'file_recovered', signal: 'traces', count: 10, time: expect.any(Date) });
    await library.shutdown();
    expect(await names(outputDir)).toEqual(wanted);
  });

  test('told to end by the variable of builds for the kill test, which this one does not know', async () => {
    const outputDir = directory();
    const ended = await node([fixture('exit'), 'failpoint', outputDir]);
    expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null });
    expect(await names(outputDir)).toEqual(wanted);
    const unknown = directory();
    const env = { OTLP_ARROW_FAILPOINT: 'create.before' };
    expect(await node([fixture('exit'), 'itself', unknown], { env })).toMatchObject({ code: 0, signal: null });
    expect(await names(unknown)).toEqual(wanted);
  });

  test('its variable collected while an exporter is held', async () => {
    const outputDir = directory();
    const ended = await node(['--expose-gc', fixture('exit'), 'collected', outputDir]);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(await names(outputDir)).toEqual(wanted);
  });
});

test('worker threads have libraries of their own; each record is stored exactly once', async () => {
  const outputDir = directory();
  const workers = Array.from(
    { length: 4 },
    (_, index) => new Worker(fixture('worker'), { workerData: { outputDir, batches: 10, first: index * 1000 } }),
  );
  const codes = await Promise.all(
    workers.map(worker => new Promise(resolve => worker.on('exit', resolve).on('error', resolve))),
  );
  expect(codes).toEqual([0, 0, 0, 0]);
  const seen = await names(outputDir);
  expect(seen).toHaveLength(4000);
  expect(new Set(seen).size).toBe(4000);
});

test('a worker thread that is terminated takes nobody with it', async () => {
  const outputDir = directory();
  const worker = new Worker(fixture('worker'), { workerData: { outputDir, batches: 1_000_000, first: 0 } });
  while (files(outputDir, 'traces').length === 0) await new Promise(resolve => setTimeout(resolve, 10));
  expect(await worker.terminate()).toBe(1);
  const seen = await names(outputDir);
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set(seen).size).toBe(seen.length);
});

test('cluster workers record into one directory', async () => {
  const outputDir = directory();
  const ended = await node([fixture('cluster'), outputDir]);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  const seen = await names(outputDir);
  expect(new Set(seen).size).toBe(1000);
  expect(seen).toHaveLength(1000);
});

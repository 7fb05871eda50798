import { Worker } from 'node:worker_threads';
import { OtlpLibrary } from 'otlp-arrow';
import { expect, test } from 'vitest';
import { fixture } from './children.js';
import { directory } from './support.js';

/** Numbered records; a million in `npm run test:long -- producers`. */
const RECORDS = Number(process.env.PRODUCED_RECORDS ?? 16_000);
const PRODUCERS = 16;
const PROCESSORS = 2;
const READERS = 2;

test('sixteen worker threads, two of them with processors, and two readers: each record is stored exactly once', {
  timeout: 60_000 + RECORDS,
}, async () => {
  const outputDir = directory();
  const share = Math.ceil(RECORDS / PRODUCERS);
  const start = (role: string, first: number, count: number) => {
    const worker = new Worker(fixture('producer'), { workerData: { outputDir, role, first, count } });
    const ended = new Promise<number>((resolve, reject) => worker.on('exit', resolve).on('error', reject));
    return { worker, ended };
  };
  let snapshots = 0;
  const readers = Array.from({ length: READERS }, () => {
    const reader = start('reader', 0, 0);
    reader.worker.on('message', () => {
      snapshots++;
    });
    return reader;
  });
  const producers = Array.from({ length: PRODUCERS }, (_, index) => {
    const first = index * share;
    return start(index < PROCESSORS ? 'processor' : 'arrays', first, Math.max(0, Math.min(share, RECORDS - first)));
  });
  expect(await Promise.all(producers.map(({ ended }) => ended))).toEqual(new Array(PRODUCERS).fill(0));
  for (const { worker } of readers) worker.postMessage('stop');
  expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual(new Array(READERS).fill(0));
  expect(snapshots).toBeGreaterThanOrEqual(READERS);

  const library = await OtlpLibrary.open({ outputDir, storage: { minFreeBytes: '0B' } });
  const times = new Uint32Array(RECORDS);
  let others = 0;
  for await (const batch of library.read('traces', { columns: ['name'] })) {
    const names = batch.getChild('name')!;
    for (let row = 0; row < batch.numRows; row++) {
      const number = Number((names.get(row) as string).slice(1));
      if (Number.isInteger(number) && number < RECORDS) times[number]!++;
      else others++;
    }
  }
  await library.shutdown();
  const wrong = Array.from(times.entries()).filter(([, count]) => count !== 1);
  expect({ others, wrong: wrong.slice(0, 5), wrongInAll: wrong.length }).toEqual({
    others: 0,
    wrong: [],
    wrongInAll: 0,
  });
});

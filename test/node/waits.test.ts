/** Exports while nothing can be kept: nothing is held, memory stays flat, the program ends in time, and what is lost is told. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { fixture } from './children.js';
import { full, open, rows, span } from './support.js';

interface Told {
  readonly records: number;
  readonly longest: number;
  readonly grown: number;
  readonly ended: number;
  readonly refused: number;
  readonly code: number;
  readonly events: Record<string, number>;
}

/** Runs the program to its end; tests that run at the same time cannot share the children of `children.ts`. */
const program = (...args: string[]): Promise<Told> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, [fixture('waits'), ...args], { timeout: 60_000 }, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(`${error?.message}\n${stderr}`));
      else resolve({ ...JSON.parse(stdout), code: error ? error.code : 0 });
    });
  });

const CASES = [
  ['away', 'batch', 'spans', 'return'],
  ['away', 'simple', 'spans', 'await'],
  ['away', 'simple', 'logs', 'exit'],
  ['full', 'batch', 'spans', 'return'],
  ['full', 'batch', 'logs', 'await'],
  ['full', 'batch', 'spans', 'exit'],
  ['full', 'simple', 'spans', 'return'],
  ['full', 'simple', 'logs', 'await'],
] as const;

test.concurrent.each(CASES)(
  'storage %s, %s processor, %s, ended by %s',
  async (...how) => {
    const told = await program(...how, '1');
    expect(told.code).toBe(how[3] === 'exit' ? 3 : 0);
    // Five seconds in all, on a machine that does other things too.
    expect(told.ended).toBeLessThan(8_000);
    expect(told.longest, 'a hundred records').toBeLessThan(3_000);
    expect(told.grown, 'bytes of memory in the second half').toBeLessThan(128 << 20);
    // What a batch processor drops itself, it counts itself.
    if (how[1] === 'simple' && how[3] !== 'exit') expect(told.refused).toBe(told.records);
    else expect(told.refused).toBeGreaterThan(0);
    expect(told.events.records_dropped, 'once, and the rest at the end').toBeLessThanOrEqual(3);
    expect(told.events.records_dropped).toBeGreaterThanOrEqual(how[3] === 'exit' ? 0 : 1);
  },
  60_000,
);

test('a program that goes on has its batches wait, also where it has nothing but timers', async () => {
  const { library, sender } = await full();
  const exported = new Promise(resolve => library.spanExporter().export([span('a')], resolve));
  // Its own timer beside those of exports: nothing else would tell it from one at its end.
  let turns = 0;
  const own = setInterval(() => turns++, 20);
  await vi.waitUntil(() => turns > 60, 20_000);
  sender.destroy();
  // After 2.5 s without room it is told that it is not known yet.
  await exported;
  const names = async () => rows(await library.read('traces')).map(row => row.name);
  await vi.waitUntil(async () => (await names()).length > 0, 20_000);
  clearInterval(own);
  expect(await names()).toEqual(['a']);
});

test('an explicit shutdown says what waited and is lost', async () => {
  const { library } = await full();
  const exported = new Promise<{ error?: Error }>(resolve => library.spanExporter().export([span('a')], resolve));
  await expect(library.shutdown({ deadlineMs: 1_000 })).rejects.toThrow(
    '1 record(s) could not be written and are lost',
  );
  expect((await exported).error).toMatchObject({ code: expect.stringMatching(/CLOSED|BUFFER_FULL|TIMEOUT/) });
});

test('very many exports at once wait with bounded memory, and the others fail at once', async () => {
  const { library } = await full();
  const exporter = library.spanExporter({ timeoutMs: 60_000 });
  let [failed, waited] = [0, 0];
  for (let n = 0; n < 3_000; n++) {
    exporter.export([span(`s${n}`, { attributes: { text: 'x'.repeat(100) } })], ({ error }) => {
      if ((error as { code?: string } | undefined)?.code === 'TIMEOUT') waited++;
      else if (error) failed++;
    });
  }
  await vi.waitUntil(() => failed >= 1_000, 20_000);
  // An eighth of 4 MiB, or a thousand; what becomes of those is not known yet.
  expect(failed).toBeLessThan(3_000);
  await library.shutdown({ deadlineMs: 2_000 }).catch(() => undefined);
  await vi.waitUntil(() => failed + waited === 3_000, 20_000);
});

test('a directory that can be used again is used again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-test-'));
  const file = join(folder, 'file');
  writeFileSync(file, 'in the way');
  const library = await open({ outputDir: join(file, 'telemetry') });
  const exporter = library.spanExporter();
  const exported = (name: string) =>
    new Promise<{ code: number; error?: Error }>(resolve => exporter.export([span(name)], resolve));
  const started = performance.now();
  for (let n = 0; n < 20; n++) expect((await exported('lost')).error).toMatchObject({ code: 'STORAGE_FAILED' });
  expect(performance.now() - started).toBeLessThan(5_000);
  rmSync(file);
  await vi.waitUntil(async () => (await exported('kept')).code === 0, 20_000);
  expect(rows(await library.read('traces')).map(row => row.name)).toEqual(['kept']);
  rmSync(folder, { recursive: true });
});

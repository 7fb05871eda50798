/** The names of the one vocabulary, as TypeScript has them. */
import { readFileSync } from 'node:fs';
import {
  decode,
  encode,
  type ForwarderInfo,
  type Health,
  type LibraryStats,
  type OtlpEvent,
  OtlpLibrary,
} from 'otlp-arrow';
import { expect, test } from 'vitest';
import { ERROR_CLASSES } from '#dist/errors.js';
import type { EventField, ForwarderField, HealthField, ProblemField, StatsField } from '#dist/vocabulary.js';
import { open } from './support.js';

interface Vocabulary {
  readonly methods: readonly { readonly typescript: string | null }[];
  readonly errors: readonly { readonly code: string; readonly meaning: string }[];
  readonly metrics: readonly { readonly name: string }[];
  readonly reports: { readonly stats: readonly string[] };
}

const vocabulary: Vocabulary = JSON.parse(readFileSync(new URL('../../docs/vocabulary.json', import.meta.url), 'utf8'));

/** What every class has. */
const BUILT_IN = new Set(['constructor', 'length', 'name', 'prototype']);

test('the class has every method of the vocabulary, and no other', () => {
  const own = (of: object) => Object.getOwnPropertyNames(of).filter(name => !BUILT_IN.has(name));
  const wanted = vocabulary.methods.map(({ typescript }) => typescript).filter(name => name !== null);
  expect([...own(OtlpLibrary), ...own(OtlpLibrary.prototype)].toSorted()).toEqual(wanted.toSorted());
});

test('the classes of errors are those of the vocabulary, in code and comment', () => {
  const source = readFileSync(new URL('../../ts/src/errors.ts', import.meta.url), 'utf8').replaceAll('\r\n', '\n');
  expect(Object.keys(ERROR_CLASSES)).toEqual(vocabulary.errors.map(({ code }) => code));
  for (const { code, meaning } of vocabulary.errors) {
    const text = meaning[0]!.toUpperCase() + meaning.slice(1);
    const { name } = ERROR_CLASSES[code as keyof typeof ERROR_CLASSES];
    expect(source).toContain(`/** ${text}. */\nexport class ${name} `);
  }
});

/** The fields of two types are the same, which the compiler checks. */
type Same<A, B> = [A, B] extends [B, A] ? true : false;

test('reports have the fields that the core gives them', async () => {
  const same: [
    Same<keyof LibraryStats, StatsField>,
    Same<keyof Health, HealthField>,
    Same<keyof Health['problems'][number], ProblemField>,
    Same<keyof ForwarderInfo, ForwarderField>,
    Same<keyof OtlpEvent, EventField>,
  ] = [true, true, true, true, true];
  expect(same).not.toContain(false);
  const library = await open();
  const camel = (name: string) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  expect(Object.keys(library.stats()).toSorted()).toEqual(vocabulary.reports.stats.map(camel).toSorted());
  const names = new Set(vocabulary.metrics.map(({ name }) => name));
  for (const { name } of library.stats().counters) expect(names).toContain(name);
});

test('what a library hands out has the names of the design', async () => {
  const library = await open({ forward: { endpoint: 'http://127.0.0.1:9' } });
  const [forwarder] = library.forwarders();
  for (const name of ['info', 'pause', 'resume', 'reset', 'retryRejected'] as const)
    expect(forwarder![name]).toBeTypeOf('function');
  expect(forwarder!.info()).toHaveProperty('lagRecords');
  expect(forwarder!.info()).toHaveProperty('lastError');
  const subscription = await library.subscribe('logs', 'names');
  for (const name of ['next', 'ack', 'close'] as const) expect(subscription[name]).toBeTypeOf('function');
  await subscription.close();
  for (const convert of [decode, encode]) expect(convert).toBeTypeOf('function');
});

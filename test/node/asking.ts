/** The records that questions are tried on: test/fixtures/questions.jsonl. */
import { existsSync, readFileSync } from 'node:fs';
import { decode, type OtlpLibrary, type Signal } from 'otlp-arrow';

/** From the source and from what is compiled of it. */
const LINES = ['../fixtures/questions.jsonl', '../../fixtures/questions.jsonl'].map(
  path => new URL(path, import.meta.url),
);

/** Keeps lines `from..to` of the fixture. */
export async function recordInto(library: OtlpLibrary, from: number, to: number): Promise<void> {
  const lines = readFileSync(LINES.find(existsSync)!, 'utf8').trimEnd().split('\n').slice(from, to);
  // At once, so that a commit has several of them.
  await Promise.all(
    lines.map(async line => {
      const { signal, otlp } = JSON.parse(line) as { signal: Signal; otlp: object };
      const { table, rejected, message } = await decode(signal, Buffer.from(JSON.stringify(otlp)), 'json');
      if (rejected > 0) throw new Error(message);
      await library.append(signal, table);
    }),
  );
}

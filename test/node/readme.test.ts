/** The first screen of the README, run as it stands there. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { node } from './children.js';
import { directory } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the lines for Node.js record, and the one that reads finds it', async () => {
  const section = /## Node\.js\n([\s\S]*?)\n## /.exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!;
  const [record, read] = [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map(match => match[1]!);
  expect(
    record!
      .trim()
      .split('\n')
      .filter(line => line !== '').length,
  ).toBeLessThanOrEqual(5);
  const program = `
import { trace } from '@opentelemetry/api';
${record}
trace.getTracer('readme').startSpan('hello', { attributes: { 'http.route': '/' } }).end();
await trace.getTracerProvider().getDelegate().forceFlush();
${read}
console.log(spans.numRows, spans.get(0).name, spans.get(0).attributes['http.route']);
process.exit(0);`;
  // Below the repository, where the name of the package leads to itself.
  const folder = join(root, 'test/dist/snippets');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'readme.mjs');
  writeFileSync(file, program);
  const ended = await node([file], {
    cwd: directory(),
    env: { OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
  });
  expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: '1 hello /\n' });
});

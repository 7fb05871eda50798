/** Runs the demo as a person would, and asks its files a question with every tool the README names. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PYTHON, ROOT, run } from './run.js';

/** A port that is free, and so is the one after it. */
async function freePorts(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = 20_000 + Math.floor(Math.random() * 30_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error('no two free ports in a row');
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Fails unless each reader finds the same routes and counts. */
export async function demo(): Promise<void> {
  const output = mkdtempSync(join(tmpdir(), 'otlp-arrow-demo-'));
  try {
    const port = await freePorts();
    const arguments_ = ['--port', String(port), '--seconds', '2', '--output', output];
    const text = await run(process.execPath, [join(ROOT, 'test/dist/scripts/demo.js'), ...arguments_]);
    for (const wanted of [
      'spans',
      'data points',
      'log records',
      'Slowest traces:',
      'Look at it as it comes in: http://127.0.0.1:',
      `otlp-arrow ui ${output}`,
      'frontend: GET /checkout/{id}',
    ]) {
      assert.ok(text.includes(wanted), `the report lacks ${wanted}`);
    }
    const answers = JSON.parse(
      await run(PYTHON, [join(ROOT, 'test/demo/open.py'), output], { quiet: true }),
    ) as Answers;
    const { routes } = await import('../demo/routes.js');
    const expected = routes(output);
    assert.ok((expected['/checkout/{id}'] ?? 0) > 0, 'no span of /checkout/{id}');
    for (const [tool, found] of Object.entries(answers))
      assert.deepEqual(found, expected, `${tool} disagrees with apache-arrow JS`);
    assert.deepEqual(Object.keys(answers).sort(), ['duckdb', 'polars', 'pyarrow']);
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}

type Answers = Record<string, Record<string, number>>;

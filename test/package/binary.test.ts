/** The standalone binary, alone: the one that `BINARY_UNDER_TEST` names, else the one of the development profile. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { hostTriple } from '../scripts/run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const NAME = process.platform === 'win32' ? 'otlp-arrow.exe' : 'otlp-arrow';

test('it records, tells what it kept, and writes it out as OTLP', async () => {
  const home = mkdtempSync(join(tmpdir(), 'otlp-arrow-binary-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const program = resolve(root, process.env.BINARY_UNDER_TEST ?? join('target', hostTriple(), 'debug', NAME));
  const run = async (...args: string[]) => {
    const env = { ...process.env, OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B' };
    return (await promisify(execFile)(program, args, { cwd: home, env })).stdout;
  };
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect((await run('--version')).trim()).toBe(`otlp-arrow ${version}`);
  await run('demo', '--output-dir', 'shop');
  const [, spans] = /traces: (\d+) records/.exec(await run('inspect', 'shop'))!;
  await run('convert', 'shop', '--output', 'all.jsonl', '--signal', 'traces');
  const written = readFileSync(join(home, 'all.jsonl'), 'utf8').match(/"spanId"/g);
  expect(written).toHaveLength(Number(spans));
});

/** The collection of all instrumentations, which would hide the single ones of this repository's own node_modules. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { OtlpLibrary } from 'otlp-arrow';
import { afterAll, expect, test } from 'vitest';
import { leaveOut, rows } from '../node/support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'otlp-arrow-auto-'));
const run = promisify(execFile);
// Of one line with the SDK in package.json.
const PACKAGES = [
  '@opentelemetry/api@1.9.1',
  '@opentelemetry/auto-instrumentations-node@0.81.0',
  '@opentelemetry/sdk-node@0.223.0',
  'express@5.3.0',
];

const PROGRAM = `
import express from 'express';
import http from 'node:http';
const app = express();
app.get('/items/:id', (request, response) => { response.json({ id: request.params.id }); });
const server = app.listen(0, '127.0.0.1', () => {
  http.get({ port: server.address().port, host: '127.0.0.1', path: '/items/7' }, response => {
    response.resume().on('end', () => server.close());
  });
});
`;

afterAll(() => rmSync(home, { recursive: true, force: true }));

test('an express program with auto-instrumentations-node is recorded without a line changed', async context => {
  writeFileSync(join(home, 'package.json'), '{"private":true,"type":"module"}');
  const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...PACKAGES];
  try {
    await run('npm', install, { cwd: home, shell: process.platform === 'win32' });
  } catch (error) {
    leaveOut(context, `the packages cannot be installed here: ${(error as Error).message.split('\n')[0]}`);
  }
  mkdirSync(join(home, 'node_modules'), { recursive: true });
  symlinkSync(root, join(home, 'node_modules/otlp-arrow'), 'junction');
  writeFileSync(join(home, 'app.mjs'), PROGRAM);
  const outputDir = join(home, 'out');
  const { stderr } = await run(process.execPath, ['--import', 'otlp-arrow/register', 'app.mjs'], {
    cwd: home,
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      OTEL_SERVICE_NAME: 'auto',
      OTEL_NODE_RESOURCE_DETECTORS: 'env,host,os,process',
      OTLP_ARROW_OUTPUT_DIR: outputDir,
      OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B',
    },
  });
  expect(stderr).not.toContain('otlp-arrow');

  const library = await OtlpLibrary.open({ outputDir, storage: { minFreeBytes: '0B' } });
  const spans = rows(await library.read('traces'));
  const metrics = rows(await library.read('metrics'));
  await library.shutdown();
  const server = spans.find(row => row.kind === 'server')!;
  const client = spans.find(row => row.kind === 'client')!;
  expect(server).toMatchObject({ service_name: 'auto', name: 'GET /items/:id' });
  expect([server.trace_id, server.parent_span_id]).toEqual([client.trace_id, client.span_id]);
  const handler = spans.find(row => row.scope_name === '@opentelemetry/instrumentation-express')!;
  expect(handler.trace_id).toBe(server.trace_id);
  expect(metrics.some(row => String(row.metric_name).startsWith('http.server.'))).toBe(true);
}, 240_000);

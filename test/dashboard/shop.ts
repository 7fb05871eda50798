/** The recorder of the shop (shop-data.ts), with a destination that nobody answers at. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ended, said, send, start } from './setup.js';
import { metrics, records } from './shop-data.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the recorder of the shop is. */
    shop: string;
    /** Traces of it by what they are. */
    traces: { readonly conversation: string; readonly before: string; readonly after: string };
  }
}

/** A port that nobody listens at. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return port;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-shop-'));
  const destination = `forward=[{name: far, endpoint: "http://127.0.0.1:${await closedPort()}"}]`;
  const service = start(
    'serve',
    '--output-dir',
    directory,
    '--grpc',
    'off',
    '--http',
    '127.0.0.1:0',
    '--set',
    destination,
    '--set',
    'shutdown_timeout=2s',
  );
  const [, link] = await said(service, /look at it in a browser: (http:\/\/[\d.:]+)\//);
  service.stdout!.resume();
  const origin = link!;
  const now = BigInt(Date.now()) * 1_000_000n;
  const { spans, logs, traces, all } = records(now);
  await send(origin, 'traces', spans);
  await send(origin, 'logs', logs);
  for (const request of metrics(now, all)) await send(origin, 'metrics', request);
  project.provide('shop', origin);
  project.provide('traces', traces);
  return async () => {
    service.kill('SIGINT');
    await ended(service);
    rmSync(directory, { recursive: true, force: true });
  };
}

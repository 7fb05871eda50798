/** A recorder with the demo's data, and more than the demo has: a trace of 50,000 spans, and names that mean harm. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';
import { conversation, hostile, large, nested } from './data.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the recorder is: http://127.0.0.1:PORT */
    origin: string;
    /** Its directory. */
    directory: string;
  }
}

/** The command line: the addon's, as the demo uses it, or a binary. */
const CLI =
  process.env.DASHBOARD_BINARY === undefined
    ? [process.execPath, join(import.meta.dirname, '../../ts/dist/cli.js')]
    : [process.env.DASHBOARD_BINARY];

export function start(...args: string[]): ChildProcess {
  const [program, ...first] = CLI;
  return spawn(program!, [...first, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The first line of its output that `wanted` matches; what it says within a minute. */
export async function said(child: ChildProcess, wanted: RegExp): Promise<RegExpExecArray> {
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout! });
  const late = setTimeout(() => reader.close(), 60_000);
  try {
    for await (const line of reader) {
      const found = wanted.exec(line);
      if (found) return found;
      lines.push(line);
    }
  } finally {
    clearTimeout(late);
  }
  throw new Error(
    `it did not say ${wanted}: is the addon built anew (npm test -- "node addon")? It said:\n${lines.join('\n')}`,
  );
}

export const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode === null ? new Promise(resolve => child.once('exit', resolve)) : Promise.resolve(child.exitCode);

/** Sends OTLP/JSON. */
export async function send(origin: string, signal: 'traces' | 'logs' | 'metrics', request: object): Promise<void> {
  const response = await fetch(`${origin}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-dashboard-'));
  const demo = start('demo', '--output-dir', directory);
  demo.stdout!.resume();
  const code = await ended(demo);
  if (code !== 0) throw new Error(`otlp-arrow demo ended with ${code}`);
  const service = start('serve', '--output-dir', directory, '--grpc', 'off', '--http', '127.0.0.1:0');
  const [, link] = await said(service, /look at it in a browser: (http:\/\/[\d.:]+)\//).catch(error => {
    service.kill();
    throw error;
  });
  service.stdout!.resume();
  const origin = link!;
  await send(origin, 'traces', hostile());
  await send(origin, 'traces', nested());
  await send(origin, 'traces', conversation());
  for (const request of large()) await send(origin, 'traces', request);
  project.provide('origin', origin);
  project.provide('directory', directory);
  return async () => {
    service.kill('SIGINT');
    await ended(service);
    rmSync(directory, { recursive: true, force: true });
  };
}

/** The service under attack: a program of its own on loopback, what it says, and the memory it takes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './wait.js';

/** `buffer.max_bytes` of the service, and what it may take beside that. */
export const BUFFER = 128 << 20;
export const BESIDE = 64 << 20;
/** Its `limits.timeout`, in milliseconds: how long a request may take to arrive. */
export const TIMEOUT = 3_000;

export interface Service {
  readonly process: ChildProcess;
  /** Of its first and second listener. */
  readonly ports: readonly [number, number];
  readonly folder: string;
  readonly directory: string;
  /** Everything it wrote. */
  said(): string;
  /** Ends it as an operator does. Resolves with its status. */
  stop(): Promise<number | null>;
}

/** Starts one with these settings more. Rejects with what it said where it does not listen. */
export async function serve(binary: string, settings: readonly string[] = []): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-attacks-'));
  const directory = join(folder, 'around', 'output');
  mkdirSync(join(folder, 'around'));
  const listen = ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--output-dir', directory];
  const sets = [`limits.timeout=${TIMEOUT}ms`, `buffer.max_bytes=${BUFFER}B`, ...settings].flatMap(one => [
    '--set',
    one,
  ]);
  const child = spawn(binary, ['serve', ...listen, ...sets], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (said += text));
  const ended = new Promise<number | null>(resolve => child.once('close', code => resolve(code)));
  let status: number | null | undefined;
  void ended.then(code => (status = code));
  const ports = () => [...said.matchAll(/^listening on http:\/\/127\.0\.0\.1:(\d+)/gm)].map(found => Number(found[1]));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    await until('the service listens', () => ports().length === 2 || status !== undefined);
    if (status !== undefined) throw new Error(`the service ended with ${status}: ${said}`);
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    remove();
    throw error;
  }
  const [first, second] = ports();
  return {
    process: child,
    ports: [first!, second!],
    folder,
    directory,
    said: () => said,
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      remove();
      return code;
    },
  };
}

/** A line of `/proc/PID/status`, in bytes. */
function status(service: Service, name: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${service.process.pid}/status`, 'utf8');
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`the service ended: ${service.said().slice(-2_000)}`);
  return Number(found) * 1024;
}

/** Memory it has now. */
export const resident = (service: Service) => status(service, 'VmRSS');
/** The most it had since {@link forgetPeak}. */
export const peak = (service: Service) => status(service, 'VmHWM');

export function forgetPeak(service: Service): void {
  writeFileSync(`/proc/${service.process.pid}/clear_refs`, '5');
}

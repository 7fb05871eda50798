import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The compiled form of a program in test/node/fixtures. */
export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../dist/node/fixtures/${name}.js`, import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Called when it has been started. */
  readonly onSpawn?: (child: ChildProcess) => void;
  /** Called with each piece of standard output. */
  readonly onOutput?: (text: string, child: ChildProcess) => void;
  /** The same of standard error as well. */
  readonly onAny?: (text: string, child: ChildProcess) => void;
}

/** Runs Node.js to its end; a child that outlives its test is killed. */
export function node(args: readonly string[], options: Options = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    cwd: options.cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  options.onSpawn?.(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    options.onOutput?.(text, child);
    options.onAny?.(text, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    options.onAny?.(text, child);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

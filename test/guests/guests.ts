/** Other people's programs, run without us and with us: the two may not differ but by what is recorded. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';
import { leaveOut, readDirectory } from '../node/support.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
/** A program that has not ended by then is stuck. */
const LONGEST_MS = 25_000;

/** A folder with packages from the registry, ours and the OpenTelemetry API beside them. */
export interface Home {
  readonly folder: string;
  remove(): void;
}

/** One case in three, another third in each process; `npm run test:long` tries them all. */
export function share<T>(cases: readonly T[]): readonly T[] {
  return process.env.GUESTS === 'all' ? cases : cases.filter((_, n) => n % 3 === process.pid % 3);
}

/** Makes one, with our package of a folder; where the packages cannot be had, says why. */
export async function home(packages: readonly string[], own = ROOT): Promise<Home | string> {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-guest-'));
  const made = { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  if (packages.length > 0) {
    const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...packages];
    try {
      await run('npm', install, { cwd: folder, shell: process.platform === 'win32' });
    } catch (error) {
      made.remove();
      return `the packages cannot be installed here: ${(error as Error).message.split('\n')[0]}`;
    }
  }
  link(folder, 'otlp-arrow', own);
  link(folder, '@opentelemetry/api', join(ROOT, 'node_modules/@opentelemetry/api'));
  return made;
}

/** Makes a package visible from a folder, unless it has one. */
export function link(folder: string, name: string, target: string): void {
  const place = join(folder, 'node_modules', name);
  if (existsSync(place)) return;
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(target, place, 'junction');
}

export function need(made: Home | string, context: TestContext): Home {
  if (typeof made === 'string') leaveOut(context, made);
  return made as Home;
}

/** What a person or a parent process sees of a program's end. */
export interface Seen {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
}

export interface Run {
  readonly seen: Seen;
  readonly stderr: string;
  readonly ms: number;
}

export interface How {
  readonly cwd: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: string;
  /** When it is stuck; else {@link LONGEST_MS}. */
  readonly longestMs?: number;
  /** Called with each line of standard output. */
  readonly onLine?: (line: string, child: ChildProcess) => void;
}

/** Runs a program to its end. */
export function program(file: string, how: How, before: readonly string[] = []): Promise<Run> {
  const started = performance.now();
  const child = spawn(how.node ?? process.execPath, [...before, file, ...(how.args ?? [])], {
    cwd: how.cwd,
    env: { ...process.env, NODE_OPTIONS: '', OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', ...how.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Several run at once, so that no hook of a test can see to it.
  const late = setTimeout(() => child.kill('SIGKILL'), how.longestMs ?? LONGEST_MS);
  let stdout = '';
  let stderr = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) how.onLine?.(line, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve({ seen: { code, signal, stdout }, stderr, ms: performance.now() - started });
    });
  });
}

/** One program without us and with us. */
export interface Pair {
  readonly plain: Run;
  readonly recorded: Run;
  /** Names of the spans that were kept. */
  readonly spans: readonly string[];
}

export async function both(file: string, how: How, importing: readonly string[] = []): Promise<Pair> {
  const outputDir = mkdtempSync(join(tmpdir(), 'otlp-arrow-guest-out-'));
  try {
    const plain = await program(file, how, importing);
    const env = { ...how.env, OTLP_ARROW_OUTPUT_DIR: outputDir };
    const recorded = await program(file, { ...how, env }, ['--import', 'otlp-arrow/register', ...importing]);
    const spans = (await readDirectory(outputDir, 'traces')).map(row => String(row.name));
    return { plain, recorded, spans };
  } finally {
    rmSync(outputDir, { recursive: true, force: true });
  }
}

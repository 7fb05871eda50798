/** A program of others from its start to its end: what it said, what it answered, how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as after } from 'node:timers/promises';
import type { Seen } from '../guests.js';

/** A program that has not come so far by then is stuck. */
const PATIENCE_MS = 90_000;

/** What is seen of a program from outside, without what differs from run to run by itself. */
export interface Outcome extends Seen {
  readonly stderr: string;
  /** What it answered while it ran. */
  readonly notes: readonly string[];
}

export interface Ran {
  readonly outcome: Outcome;
  readonly ms: number;
}

export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly drive?: ((session: Session) => Promise<void>) | undefined;
  /** Replaced in what it said, beside times, numbers of processes and places. */
  readonly steady?: readonly (readonly [RegExp, string])[] | undefined;
  /** Whether lines come in any order, as those of several processes do. */
  readonly unordered?: boolean | undefined;
}

/** What a test does with a program that is up. */
export class Session {
  /** All that was said until now, on both outputs. */
  text = '';
  readonly notes: string[] = [];
  /** From where {@link until} looks on. */
  #read = 0;
  #heard: () => void = () => undefined;
  #ended = false;

  constructor(readonly child: ChildProcess) {}

  hear(text: string): void {
    this.text += text;
    this.#heard();
  }

  end(): void {
    this.#ended = true;
    this.#heard();
  }

  /** Waits until it says so, behind what was waited for before. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const late = performance.now() + PATIENCE_MS;
    for (;;) {
      const text = plain(this.text);
      const found = pattern.exec(text.slice(this.#read));
      if (found) {
        this.#read += found.index + found[0].length;
        return found;
      }
      if (this.#ended || performance.now() > late) throw new Error(`it did not say ${pattern}, but:\n${text}`);
      const heard = new Promise<void>(resolve => {
        this.#heard = resolve;
      });
      const giveUp = new AbortController();
      await Promise.race([heard, after(1_000, undefined, { signal: giveUp.signal }).catch(() => undefined)]);
      giveUp.abort();
    }
  }

  /** The port of the address it says it listens to. */
  async port(pattern = /(?:listening on |https?:\/\/(?:localhost|127\.0\.0\.1):)(\d+)/): Promise<number> {
    return Number((await this.until(pattern))[1]);
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** Asks for a path, and notes what comes back. */
  async get(port: number, path: string, shown: (body: string) => string = body => body): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
    this.note(`${path} ${response.status} ${shown(await response.text())}`);
  }

  /** Typed at its terminal. */
  type(text: string): void {
    this.child.stdin?.write(text);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours and movements of the terminal
const TERMINAL = /\u001b\[[0-9;?]*[A-Za-z]|\r(?!\n)|\u001b[()][A-Z0-9]/g;
const plain = (text: string): string => text.replaceAll(TERMINAL, '');

const PER_RUN: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, '<time>'],
  [/\b\d{1,2}:\d\d:\d\d(?: ?[AP]M)?/g, '<time>'],
  [/\b\d+(?:\.\d+)? ?(?:ms|s|sec|seconds?|m|µs)\b/g, '<duration>'],
  [/(localhost|127\.0\.0\.1):\d+/g, '$1:<port>'],
  [/listening on \d+/g, 'listening on <port>'],
  [/\b(pid[:= ]*|node:)\d+/gi, '$1<pid>'],
];

function steady(text: string, { cwd, steady = [], unordered }: Start): string {
  let clean = plain(text).replaceAll(cwd, '<folder>');
  for (const [pattern, by] of [...PER_RUN, ...steady]) clean = clean.replaceAll(pattern, by);
  const lines = clean.split('\n').map(line => line.trimEnd());
  return (unordered ? lines.toSorted() : lines).filter(line => line !== '').join('\n');
}

/** Runs it to its end, which comes by itself or by what the test does. */
export async function ran(start: Start): Promise<Ran> {
  const began = performance.now();
  // A group of its own: all of it is gone afterwards.
  const child = spawn(start.command, start.args, {
    cwd: start.cwd,
    env: start.env,
    stdio: [start.drive ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const group = child.pid;
  const stop = (): void => {
    try {
      if (group) process.kill(-group, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  };
  const late = setTimeout(stop, PATIENCE_MS + 30_000);
  const session = new Session(child);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    session.hear(text);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    session.hear(text);
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
    child.on('exit', () => session.end());
  });
  try {
    await start.drive?.(session);
    const { code, signal } = await ended;
    const ms = performance.now() - began;
    const outcome = {
      code,
      signal,
      stdout: steady(stdout, start),
      stderr: steady(stderr, start),
      notes: session.notes,
    };
    return { outcome, ms };
  } catch (error) {
    stop();
    await ended.catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(late);
    stop();
  }
}

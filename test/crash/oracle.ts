/** The oracle as a process of its own, for all rounds: Python with pyarrow, none of our code. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { PYTHON, ROOT } from '../scripts/run.js';
import type { News } from './ledger.js';

/** What the oracle found. */
export interface Verdict {
  /** Records that are there. */
  readonly rows: number;
  /** Requests that are there. */
  readonly requests: number;
  /** Requests that retention deleted, all looks together. */
  readonly evicted: number;
  /** Of those, the ones that came and went since the last look. */
  readonly unknown: number;
  readonly errors: readonly string[];
}

/** How a directory is looked at. */
export interface Look {
  /** Something may have been deleted by retention since the last look. */
  readonly retention: boolean;
  /** Sealed files are read again. */
  readonly fresh: boolean;
}

export class Oracle {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor() {
    this.#process = spawn(PYTHON, [join(ROOT, 'test/crash/oracle.py')]);
    this.#process.stderr.pipe(process.stderr);
    this.#reader = createInterface(this.#process.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** From now on this directory is looked at; it is empty. */
  begin(directory: string): void {
    this.#process.stdin.write(`${JSON.stringify({ dir: directory })}\n`);
  }

  async judge(news: News, look: Look): Promise<Verdict> {
    this.#process.stdin.write(`${JSON.stringify({ ...news, ...look })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the oracle ended: see its error above');
    return JSON.parse(value) as Verdict;
  }

  close(): void {
    this.#process.stdin.end();
    this.#reader.close();
  }
}

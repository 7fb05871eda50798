/** The oracle as a process of its own: Python with pyarrow, none of our code. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { PYTHON, ROOT } from '../scripts/run.js';

/** What the oracle is asked. */
export interface Case {
  readonly dir: string;
  /** Records of each request that was sent, acknowledged or not. */
  readonly sent: Readonly<Record<number, number>>;
  readonly acked: readonly number[];
  /** Whether retention was made to delete data: then only invention and damage count. */
  readonly evicted: boolean;
}

/** What the oracle found. */
export interface Verdict {
  readonly rows: number;
  readonly requests: number;
  readonly errors: readonly string[];
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

  async judge(question: Case): Promise<Verdict> {
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the oracle ended: see its error above');
    return JSON.parse(value) as Verdict;
  }

  close(): void {
    this.#process.stdin.end();
    this.#reader.close();
  }
}

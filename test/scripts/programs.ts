/**
 * `npm run test:long -- programs`: popular programs of Node.js and Python, without us and with us, and a table of each in
 * bench/README.md. What is decided is their end, their output and their telemetry; the time they take is only written down.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run, venvBin } from './run.js';
import { addon, extension, pythonEnvironment } from './setup.js';

/** What a suite writes down of a program, one line of JSON each. */
interface Row {
  readonly program: string;
  readonly version: string;
  readonly exit: string | number;
  readonly spans: number;
  readonly pairs: number;
  readonly plainMs: number;
  /** What OpenTelemetry adds by itself, where that is told apart; the rest is ours then. */
  readonly stockMs?: number;
  readonly moreMs: number;
}

/** A table: its language, its columns of times, and a row's. */
interface Table {
  readonly language: string;
  readonly rows: readonly Row[];
  readonly heads: readonly string[];
  readonly times: (row: Row) => readonly (number | undefined)[];
}

const DOCUMENT = join(ROOT, 'bench/README.md');
const [BEGIN, END] = ['<!-- programs -->', '<!-- end of programs -->'];

export async function programs(pairs: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-programs-'));
  const file = (language: string) => join(folder, `${language}.jsonl`);
  const env = (language: string) => ({
    PROGRAMS: 'all',
    PROGRAMS_PAIRS: String(pairs),
    PROGRAMS_RESULTS: file(language),
  });
  const failed: unknown[] = [];
  try {
    await addon();
    await run('npx', ['--no-install', 'vitest', 'run', 'test/guests/programs'], { env: env('node') }).catch(error =>
      failed.push(error),
    );
    await pythonEnvironment();
    await extension();
    const python = { cwd: join(ROOT, 'python'), env: env('python') };
    await run(venvBin('pytest'), ['-q', '../test/python/guests/test_programs.py'], python).catch(error =>
      failed.push(error),
    );
    // A part of them is no table.
    if (failed.length === 0) writeTables(rows(file('node')), rows(file('python')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (failed.length > 0) throw failed[0];
}

function rows(file: string): readonly Row[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map(line => JSON.parse(line) as Row);
}

function writeTables(node: readonly Row[], python: readonly Row[]): void {
  const tables: readonly Table[] = [
    {
      language: 'Node.js',
      rows: node,
      heads: ['alone, ms', 'with us, ms more'],
      times: row => [row.plainMs, row.moreMs],
    },
    {
      language: 'Python',
      rows: python,
      heads: ['alone, ms', "with OpenTelemetry's zero-code entry alone, ms more", 'with us, ms more than that'],
      times: row => [row.plainMs, row.stockMs, row.moreMs],
    },
  ];
  const table = tables.map(one => lines(one).join('\n')).join('\n\n');
  console.log(table);
  const document = readFileSync(DOCUMENT, 'utf8');
  const [start, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${DOCUMENT} has no place for the table: ${BEGIN} … ${END}`);
  writeFileSync(DOCUMENT, `${document.slice(0, start)}${BEGIN}\n${table}\n${document.slice(end)}`);
}

function lines({ language, rows, heads, times }: Table): readonly string[] {
  const columns = [language, 'version', 'exit', 'output', 'spans kept', ...heads, 'pairs'];
  const cells = (row: Row) => [
    row.program,
    row.version,
    row.exit,
    'equal',
    row.spans || 'makes none',
    ...times(row),
    row.pairs,
  ];
  return [
    `| ${columns.join(' | ')} |`,
    `|${'---|'.repeat(columns.length)}`,
    ...rows.map(row => `| ${cells(row).join(' | ')} |`),
  ];
}

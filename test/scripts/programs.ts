/**
 * `npm run test:long -- programs`: popular programs of Node.js and Python, without us and with us, and a table of them in
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
  readonly moreMs: number;
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
    if (failed.length === 0) writeTable(['Node.js', 'Python'], [rows(file('node')), rows(file('python'))]);
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

function writeTable(languages: readonly string[], tables: readonly (readonly Row[])[]): void {
  const head = [
    '| | version | exit | output | spans kept | alone, ms | with us, ms more | pairs |',
    `|${'---|'.repeat(8)}`,
  ];
  const lines = tables.flatMap((table, n) => [
    `| **${languages[n]}** |${' |'.repeat(7)}`,
    ...table.map(
      row =>
        `| ${row.program} | ${row.version} | ${row.exit} | equal | ${row.spans || 'makes none'} | ${row.plainMs} | ${row.moreMs} | ${row.pairs} |`,
    ),
  ]);
  const table = [...head, ...lines].join('\n');
  console.log(table);
  const document = readFileSync(DOCUMENT, 'utf8');
  const [start, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${DOCUMENT} has no place for the table: ${BEGIN} … ${END}`);
  writeFileSync(DOCUMENT, `${document.slice(0, start)}${BEGIN}\n${table}\n${document.slice(end)}`);
}

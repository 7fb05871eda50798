/** Ten questions beside DuckDB and DataFusion, and ingest while questions are asked: `bench/ask.py`. */
import { join } from 'node:path';
import { PYTHON, ROOT, run } from './run.js';
import { pythonEnvironment } from './setup.js';

/** Spans at full scale: 14 GB of ours, and what DuckDB reads beside it. */
const SPANS = 100_000_000;

/** The benchmark `ask` of crates/query, as a profile builds it. */
export async function askProgram(profile: 'dev' | 'bench'): Promise<string> {
  const args = ['build', '--quiet', '--message-format=json', '-p', 'otlp-arrow-query', '--bench', 'ask'];
  const built = await run('cargo', [...args, '--profile', profile], { quiet: true });
  const lines = built.split('\n').filter(line => line.startsWith('{'));
  const programs = lines.map(line => JSON.parse(line) as { executable?: string | null; target?: { name: string } });
  const program = programs.find(found => found.executable && found.target?.name === 'ask')?.executable;
  if (!program) throw new Error('cargo did not say where it put the benchmark `ask`');
  return program;
}

/** Both parts of `bench/ask.py` with a share of {@link SPANS}. */
export async function ask(scale: number): Promise<void> {
  await pythonEnvironment();
  const program = await askProgram('bench');
  const script = join(ROOT, 'bench/ask.py');
  await run(PYTHON, [script, '--program', program, '--spans', String(Math.round(SPANS * scale)), '--ingest']);
}

/** The dashboard for long: a tail of a thousand log records a second for ten minutes, and every page over a day of two million spans. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askProgram } from './ask.js';
import { run } from './run.js';
import { addon, dashboard } from './setup.js';

const SECONDS = 600;
const SPANS = 2_000_000;
const DAY = 24 * 3600;

export async function eyes(scale: number): Promise<void> {
  await dashboard();
  await addon('release');
  const vitest = (config: string, ...more: string[]) => [
    '--no-install',
    'vitest',
    'run',
    '--config',
    `test/dashboard/${config}`,
    ...more,
  ];
  await run('npx', vitest('vitest.config.mts', 'live.test'), {
    env: { EYES_SECONDS: String(Math.max(20, Math.round(SECONDS * scale))) },
  });
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-day-'));
  try {
    const program = await askProgram(scale < 1 ? 'dev' : 'bench');
    const made = await run(program, ['make', directory, String(Math.round(SPANS * scale)), String(DAY), '7'], {
      quiet: true,
    });
    const { spans } = JSON.parse(made.trim().split('\n').at(-1)!) as { spans: number };
    await run('npx', vitest('eyes.config.mts'), { env: { EYES_DIRECTORY: directory, EYES_SPANS: String(spans) } });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

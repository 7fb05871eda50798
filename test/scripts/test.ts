/**
 * `npm test`: every suite of all three languages, in one order, on a fresh machine.
 *
 *     npm test                  everything
 *     npm test -- rust python   only steps whose name contains one of the words
 *     npm test -- --no-skips    what cannot be tried here fails, as in CI; also with the variable CI
 *     npm test -- --list        the names
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { publicApi } from './api.js';
import { attacks } from './attacks.js';
import { crossChecks } from './cross.js';
import { dashboardTests } from './dashboard.js';
import { demo } from './demo-test.js';
import { dependencies } from './dependencies.js';
import { features } from './features.js';
import { freshness } from './fresh.js';
import { fuzzShare } from './fuzz.js';
import { partsLeftOut } from './parts.js';
import { goPeers } from './peers.js';
import { CommandFailed, ROOT, run, venvBin } from './run.js';
import { addon, dashboard, extension, extensionClippy, pythonEnvironment } from './setup.js';
import { everythingRan, forbidden, NO_SKIPS } from './skips.js';
import { structure } from './structure.js';
import { waitsShare } from './waits.js';
import { workflows } from './workflows.js';

interface Step {
  readonly name: string;
  /** Returns a reason if the step could not be tried here, or is not for this system. */
  readonly action: () => Promise<string | undefined>;
}

const step = (name: string, action: () => Promise<unknown>): Step => ({
  name,
  action: async () => {
    const result = await action();
    return typeof result === 'string' && /^(skipped|not here): /.test(result) ? result : undefined;
  },
});

const cargo = (...args: string[]) => run('cargo', args);
/** A suite, of which nothing is left out where that is forbidden. */
const suite = async (...args: Parameters<typeof run>) => everythingRan(await run(...args));
const python = join(ROOT, 'python');

const STEPS: readonly Step[] = [
  step('lint rust format', () => cargo('fmt', '--all', '--check')),
  step('lint typescript', () => run('npx', ['--no-install', 'biome', 'check', '.'])),
  step('structure', () => structure()),
  step('dashboard is built', () => dashboard()),
  step('rust clippy', () => cargo('clippy', '--quiet', '--all-targets', '--', '-D', 'warnings')),
  step('each dependency once', () => features()),
  step('dependencies are allowed', () => dependencies()),
  step('rust tests', () => suite('cargo', ['test', '--quiet', '--no-fail-fast'])),
  step('public api', () => publicApi()),
  step('parts left out', () => partsLeftOut()),
  step('node addon', () => addon()),
  step('generated files are fresh', () => freshness()),
  step('node tests', () => suite('npx', ['--no-install', 'vitest', 'run'])),
  step('python environment', () => pythonEnvironment()),
  step('python extension', () => extension()),
  step('python extension clippy', () => extensionClippy()),
  step('lint python', async () => {
    await run(venvBin('ruff'), ['check', '.']);
    await run(venvBin('ruff'), ['format', '--check', '.']);
    await run(venvBin('mypy'), [], { cwd: python });
  }),
  step('python tests', () => suite(venvBin('pytest'), ['-q', '-rfEs'], { cwd: python })),
  step('demo', () => demo()),
  step('dashboard in a browser', () => dashboardTests()),
  step('kill test, a share', () => run(process.execPath, [join(ROOT, 'test/dist/crash/main.js'), '--rounds', '30'])),
  step('attacks, a share', () => attacks(1)),
  step('waits, a share', () => waitsShare()),
  step('go peers', () => goPeers()),
  step('fuzzing, a share', () => fuzzShare()),
  step('workflows', () => workflows()),
  step('cross checks', () => crossChecks()),
];

/** Characters of a failed step's output that are shown once more. */
const FAILURE_TAIL = 6_000;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--no-skips') || (process.env.CI ?? '') !== '') process.env[NO_SKIPS] = '1';
  const words = args.filter(word => word !== '--no-skips');
  if (words.includes('--list')) {
    console.log(STEPS.map(({ name }) => name).join('\n'));
    return 0;
  }
  const chosen = STEPS.filter(({ name }) => words.length === 0 || words.some(word => name.includes(word)));
  if (chosen.length === 0) {
    console.error(`no step is named like ${words.join(', ')}; npm test -- --list shows the names`);
    return 2;
  }
  if (!existsSync(join(ROOT, 'node_modules'))) throw new Error('run this through npm test, which installs first');
  const results: string[] = [];
  const failures: string[] = [];
  let skipped = 0;
  for (const { name, action } of chosen) {
    console.log(`\n=== ${name}`);
    const started = Date.now();
    let verdict = 'passed';
    try {
      const reason = await action();
      if (reason?.startsWith('skipped: ') && forbidden()) throw new Error(`${reason}, which is not allowed here`);
      if (reason !== undefined) {
        verdict = reason;
        skipped += 1;
      }
    } catch (error) {
      verdict = 'FAILED';
      const failed = error instanceof CommandFailed ? error : undefined;
      console.error(failed?.message ?? error);
      // Said again at the end: a log that is cut keeps its end.
      const output = failed?.output.trimEnd().slice(-FAILURE_TAIL) ?? '';
      failures.push(`=== ${name} FAILED: ${failed?.message ?? error}\n${output}`);
    }
    results.push(`${((Date.now() - started) / 1000).toFixed(1).padStart(7)} s  ${name}: ${verdict}`);
  }
  for (const failure of failures) console.log(`\n${failure}`);
  console.log(`\n${results.join('\n')}\n`);
  const failed = failures.length;
  console.log(`${chosen.length - failed - skipped} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));

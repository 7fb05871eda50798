/**
 * Popular programs without us and with us: the same end and the same output, and their telemetry kept.
 *
 *     npm run test:long -- programs                          all, ten pairs each, with a table
 *     PROGRAMS=fastify,jest npx vitest run test/guests/programs
 */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaveOut, readDirectory } from '../../node/support.js';
import { asPublished } from '../../package/packed.js';
import { home, need } from '../guests.js';
import { type Outcome, type Ran, ran } from './session.js';
import { PROGRAMS, type Program } from './table.js';

/** `all`, names, or nothing: a few of them, others in each process. */
const CHOSEN = process.env.PROGRAMS ?? '';
const PAIRS = Number(process.env.PROGRAMS_PAIRS ?? 1);
/** Where a line of JSON for each program goes. */
const RESULTS = process.env.PROGRAMS_RESULTS;
/** One in so many in `npm test`. */
const SHARE = 10;
const PRELOAD = 'otlp-arrow/register';

const chosen = PROGRAMS.filter(({ name, long }, n) => {
  if (CHOSEN === 'all') return true;
  if (CHOSEN === '') return !long && n % SHARE === process.pid % SHARE;
  return CHOSEN.split(',').some(word => name.includes(word));
});

/** What of our own environment a program sees: nothing of the test's. */
function environment(program: Program, folder: string, port: number, more: Record<string, string>) {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'];
  const base = Object.fromEntries(names.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])));
  const own = Object.entries(program.env ?? {}).map(([name, value]) => [
    name,
    value.replace('<folder>', folder).replace('<port>', String(port)),
  ]);
  return { ...base, NO_COLOR: '1', npm_config_update_notifier: 'false', ...Object.fromEntries(own), ...more };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** One run; with a directory it is recorded there. */
async function once(program: Program, folder: string, outputDir?: string): Promise<Ran> {
  for (const name of program.cleanup ?? []) rmSync(join(folder, name), { recursive: true, force: true });
  const word = (text: string): string =>
    text.startsWith('bin:') ? realpathSync(join(folder, 'node_modules/.bin', text.slice(4))) : text;
  const recorded: Record<string, string> = outputDir
    ? { OTLP_ARROW_OUTPUT_DIR: outputDir, OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', OTEL_SERVICE_NAME: 'guest' }
    : {};
  if (outputDir && process.env.PROGRAMS_ADDON) recorded.NAPI_RS_NATIVE_LIBRARY_PATH = process.env.PROGRAMS_ADDON;
  const preload = outputDir ? ['--import', PRELOAD] : [];
  const options = program.through === 'options';
  if (outputDir && options) recorded.NODE_OPTIONS = preload.join(' ');
  const words = program.args.flatMap(text => {
    if (text === '<preload>') return preload;
    if (text === '<preload file>')
      return outputDir ? ['--preload', './node_modules/otlp-arrow/ts/dist/register/index.js'] : [];
    return [word(text)];
  });
  const port = await freePort();
  return ran({
    command: program.command ? resolve(folder, program.command) : process.execPath,
    args: program.command || options ? words : [...preload, ...words],
    cwd: folder,
    env: environment(program, folder, port, recorded),
    drive: program.drive,
    steady: program.steady,
    unordered: program.unordered,
  });
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function version({ packages }: Program, folder: string): string {
  const name = packages[0]?.replace(/(?<=.)@.*/, '');
  if (!name) return process.version;
  return (JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as { version: string })
    .version;
}

/** What it would have said if we had said nothing; only what a program is known to be told is taken out. */
function withoutOurs(outcome: Outcome, says: RegExp | undefined): Outcome {
  const mark = 'otlp-arrow/register: ';
  const lines = outcome.stderr
    .split('\n')
    .filter(line => !(line.startsWith(mark) && says?.test(line.slice(mark.length))));
  return { ...outcome, stderr: lines.join('\n') };
}

const ended = ({ code, signal }: Outcome): string => signal ?? String(code);

describe.skipIf(process.platform === 'win32')('programs', () => {
  let own: string;
  beforeAll(async () => {
    own = await asPublished();
  }, 180_000);
  afterAll(() => rmSync(own, { recursive: true, force: true }));

  test.for(chosen)('$name', { timeout: 120_000 + PAIRS * 240_000 }, async (program, context) => {
    const reason = program.missing?.();
    if (reason) leaveOut(context, reason);
    const made = need(await home(program.packages, own), context);
    try {
      const folder = realpathSync(made.folder);
      write(program, folder);
      const times: { plain: number; recorded: number }[] = [];
      let kept = 0;
      let last: Outcome | undefined;
      for (let pair = 0; pair < PAIRS; pair++) {
        const outputDir = mkdtempSync(join(tmpdir(), 'otlp-arrow-program-'));
        // In turns, so that neither always finds what the other one left in a cache.
        const first = pair % 2 === 1 ? await once(program, folder, outputDir) : undefined;
        const plain = await once(program, folder);
        const recorded = first ?? (await once(program, folder, outputDir));
        expect(withoutOurs(recorded.outcome, program.says)).toEqual(plain.outcome);
        const spans = await readDirectory(outputDir, 'traces');
        rmSync(outputDir, { recursive: true, force: true });
        const scopes = new Set(spans.map(({ scope_name }) => scope_name));
        expect([...scopes]).toEqual(expect.arrayContaining([...program.scopes]));
        expect(spans.length).toBeGreaterThanOrEqual(program.least ?? program.scopes.length);
        times.push({ plain: plain.ms, recorded: recorded.ms });
        kept = spans.length;
        last = recorded.outcome;
      }
      const row = {
        program: program.name,
        version: version(program, folder),
        exit: ended(last!),
        spans: kept,
        pairs: PAIRS,
        plainMs: Math.round(median(times.map(({ plain }) => plain))),
        moreMs: Math.round(median(times.map(({ plain, recorded }) => recorded - plain))),
      };
      console.log(JSON.stringify(row));
      if (RESULTS) appendFileSync(RESULTS, `${JSON.stringify(row)}\n`);
    } finally {
      made.remove();
    }
  });
});

/** Its files, with the dependencies that were installed named in its package.json, as everybody's are. */
function write({ files = {} }: Program, folder: string): void {
  const manifest = join(folder, 'package.json');
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: object };
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, name === 'package.json' ? JSON.stringify({ ...JSON.parse(text), dependencies }) : text);
  }
}

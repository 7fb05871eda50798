/** Our packages as users get them: packed, and installed beside others from the registry. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addonFile, manifest, packageName, platform } from '../scripts/platforms.js';
import { hostTriple } from '../scripts/run.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const HOST = platform(hostTriple());
const run = promisify(execFile);
const windows = process.platform === 'win32';
const DIST = join(ROOT, 'dist');
/** Packing takes seconds; who holds the lock for longer is gone. */
const LOCK_MS = 120_000;

/** The packed root package and that of this platform. Suites run side by side: one packs, for all. */
export async function tarballs(): Promise<readonly [string, string]> {
  const own = `otlp-arrow-${manifest.version}.tgz`;
  const files = [join(DIST, own), join(DIST, `otlp-arrow-node-${HOST.abi}-${manifest.version}.tgz`)] as const;
  mkdirSync(DIST, { recursive: true });
  const release = await lock(join(DIST, '.packing'));
  try {
    if (!isFresh(files)) await run(process.execPath, [join(ROOT, 'test/dist/scripts/package.js'), '--built']);
  } finally {
    release();
  }
  return files;
}

async function lock(place: string): Promise<() => void> {
  for (const started = Date.now(); ; ) {
    try {
      mkdirSync(place);
      return () => rmSync(place, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (Date.now() - started > LOCK_MS) rmSync(place, { recursive: true, force: true });
      await after(100);
    }
  }
}

function isFresh(files: readonly string[]): boolean {
  const packed = files.map(file => (existsSync(file) ? statSync(file).mtimeMs : 0));
  return Math.min(...packed) > newest(sources());
}

/** What goes into the packages. */
function sources(): string[] {
  const compiled = (readdirSync(join(ROOT, 'ts/dist'), { recursive: true }) as string[]).map(name => `ts/dist/${name}`);
  const native = readdirSync(join(ROOT, 'ts/native')).map(name => `ts/native/${name}`);
  const scripts = ['package.js', 'bundle.js'].map(name => `test/dist/scripts/${name}`);
  return [...compiled, ...native, 'package.json', 'README.md', ...scripts];
}

const newest = (files: readonly string[]): number =>
  Math.max(...files.map(file => join(ROOT, file)).map(file => (existsSync(file) ? statSync(file).mtimeMs : 0)));

/** The packed root package in a folder of the caller, with the addon of this platform as its only one, from a file. */
export async function forThisPlatform(folder: string): Promise<string> {
  const [own, addon] = await tarballs();
  await run('tar', ['-xzf', own, '-C', folder]);
  const file = join(folder, 'package/package.json');
  const packed = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...packed, optionalDependencies: { [ADDON_PACKAGE]: `file:${addon}` } }));
  const made = join(folder, 'otlp-arrow.tgz');
  await run('tar', ['-czf', made, '-C', folder, 'package']);
  return made;
}

/** The root package as it is published, in a folder that sees the addon and the packages of this repository. */
export async function asPublished(): Promise<string> {
  await tarballs();
  const folder = mkdtempSync(join(ROOT, 'target/published-'));
  cpSync(join(DIST, 'package'), folder, { recursive: true });
  symlinkSync(join(ROOT, 'ts/native', ADDON_FILE), join(folder, 'ts/native', ADDON_FILE));
  return folder;
}

/** A folder with packages of the registry and ours. */
export interface Place {
  readonly folder: string;
  /** Runs a program of an installed package, or a script, by Node.js. */
  node(script: string, args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  remove(): void;
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
}

const NPM = ['--no-audit', '--no-fund', '--ignore-scripts'];

/** Makes one; where the packages cannot be had, says why. */
export async function place(packages: readonly string[]): Promise<Place | string> {
  const own = await tarballs();
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-packed-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const npm = (...args: string[]) =>
    run('npm', args, { cwd: folder, shell: windows, env: { ...process.env, NODE_OPTIONS: '' } });
  const arrow = `apache-arrow@${(manifest.dependencies as Record<string, string>)['apache-arrow']}`;
  try {
    await npm('install', ...NPM, '--prefer-offline', arrow, ...packages);
  } catch (error) {
    remove();
    return `the packages cannot be installed here: ${(error as Error).message.split('\n')[0]}`;
  }
  // Those of the other platforms are not looked for.
  await npm('install', ...NPM, '--offline', ...own);
  const node = (script: string, args: readonly string[] = [], env = {}) =>
    run(process.execPath, [script, ...args], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      maxBuffer: 64 << 20,
    });
  return { folder, node, remove };
}

/** Copies a build to a folder of its own, whose node_modules is that of the place, or what `modules` makes. */
export function away(build: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-away-'));
  cpSync(build, folder, { recursive: true, verbatimSymlinks: true });
  return folder;
}

/** Does something while the packages of a place are not where they were when it built. */
export async function hidden<T>({ folder }: Place, work: () => Promise<T>): Promise<T> {
  const [modules, elsewhere] = [join(folder, 'node_modules'), join(folder, 'packages-away')];
  renameSync(modules, elsewhere);
  try {
    return await work();
  } finally {
    renameSync(elsewhere, modules);
  }
}

/** The package of this platform, below node_modules. */
export const ADDON_PACKAGE = packageName(HOST);
/** The file in it. */
export const ADDON_FILE = addonFile(HOST);

/** Where a package's program is. */
export function bin(place: Place, name: string, program = name): string {
  const folder = join(place.folder, 'node_modules', name);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  return join(folder, typeof bin === 'string' ? bin : bin[program]!);
}

/** Builds what the suites and the demo need, from package registries by their ordinary clients. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addonFile, platform } from './platforms.js';
import { hostTriple, PYTHON, ROOT, run, VENV, venvBin } from './run.js';

/** Readers of an earlier major version than the virtual environment has; test/interop puts it before that one. */
const OLDER_READERS = join(ROOT, 'target/older-readers');

/** Creates the virtual environment and installs the development dependencies of python/pyproject.toml, once per change of it. */
export async function pythonEnvironment(): Promise<void> {
  const wanted = createHash('sha256')
    .update(readFileSync(join(ROOT, 'python/pyproject.toml')))
    .digest('hex');
  const stamp = join(VENV, '.otlp-arrow-stamp');
  if (existsSync(stamp) && existsSync(OLDER_READERS) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!existsSync(PYTHON)) await run(await systemPython(), ['-m', 'venv', VENV], { quiet: true });
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--upgrade'];
  // Dependency groups (PEP 735) need pip 25.1.
  await run(PYTHON, [...pip, 'pip>=25.1'], { quiet: true });
  const group = (name: string) => ['--group', `${join(ROOT, 'python/pyproject.toml')}:${name}`];
  await run(PYTHON, [...pip, ...group('dev')], { quiet: true });
  await run(PYTHON, [...pip, '--target', OLDER_READERS, ...group('older-readers')], { quiet: true });
  mkdirSync(VENV, { recursive: true });
  writeFileSync(stamp, wanted);
}

async function systemPython(): Promise<string> {
  const tried: string[] = [];
  for (const name of process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']) {
    try {
      const version = await run(name, ['-c', 'import sys; print(sys.version_info >= (3, 11))'], { quiet: true });
      if (version.trim() === 'True') return name;
      tried.push(`${name} is older than 3.11`);
    } catch {
      tried.push(`${name} cannot be started`);
    }
  }
  throw new Error(`Python 3.11 or newer is needed (${tried.join(', ')}): install it and run this again`);
}

/** The pages of the dashboard in crates/dashboard/dist, which Cargo compiles in: seconds, and nothing where they are as they were. */
export async function dashboard(): Promise<void> {
  await run('npm', ['run', '--silent', 'build:dashboard']);
}

/** The addon in ts/native, by the dev profile unless asked otherwise. */
export async function addon(profile: 'debug' | 'release' = 'debug'): Promise<void> {
  await run('npm', ['run', '--silent', 'build:native', '--', ...(profile === 'release' ? ['--release'] : [])]);
}

/** Asks for the places at which a test can end the process: docs/adr/0008-failpoints.md. What is packed has none. */
const FAILPOINTS = ['--features', 'failpoints'];

/** An addon with failpoints, beside the one in ts/native: its file, for `NAPI_RS_NATIVE_LIBRARY_PATH`. */
export async function addonWithFailpoints(): Promise<string> {
  const folder = 'target/failpoints';
  await run('npm', ['run', '--silent', 'build:native', '--', ...FAILPOINTS, '--output-dir', folder]);
  return failpointsAddon();
}

/** Where {@link addonWithFailpoints} puts it. */
export const failpointsAddon = (): string => join(ROOT, 'target/failpoints', addonFile(platform(hostTriple())));

/** The standalone binary of the dev profile, with failpoints. */
export async function binaryWithFailpoints(): Promise<void> {
  // The crate below the command line has the feature, as in `cargo test`: nothing is compiled anew.
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow', '--features', 'otlp-arrow/failpoints']);
}

/** Clippy over the extension, with what maturin sets when it builds it: else pyo3 would be compiled anew, here and there. */
export async function extensionClippy(): Promise<void> {
  const folder = join(ROOT, 'target/maturin');
  const written = (name: string) => statSync(join(folder, name)).mtimeMs;
  const configs = readdirSync(folder).filter(name => name.startsWith('pyo3-config-'));
  const newest = configs.toSorted((a, b) => written(b) - written(a))[0];
  if (newest === undefined) throw new Error(`${folder} has no pyo3-config: maturin builds the extension first`);
  const env = { PYO3_CONFIG_FILE: join(folder, newest), PYO3_BUILD_EXTENSION_MODULE: '1' };
  await run('cargo', ['clippy', '--quiet', '-p', 'otlp-arrow-python', '--all-targets', '--', '-D', 'warnings'], {
    env,
  });
}

/** The Python extension, installed into the virtual environment for development. */
export async function extension(options: { failpoints?: boolean } = {}): Promise<void> {
  // pip's installer would build in an isolated folder; develop shares the one target directory.
  const env = { VIRTUAL_ENV: VENV };
  const features = options.failpoints ? FAILPOINTS : [];
  await run(venvBin('maturin'), ['develop', '--quiet', ...features], { cwd: join(ROOT, 'python'), env });
}

import { BUNDLED, require } from './require.js';

type Native = typeof import('../native/binding.cjs');

const BINDING = '../native/binding.cjs';

/** The addon of this platform. */
export const native: Native = load();

function load(): Native {
  try {
    return require(BINDING) as Native;
  } catch (error) {
    throw new Error(isPresent() ? missing() : BUNDLED, { cause: error });
  }
}

/** Whether the file that looks for the addon is there; it is a part of the package. */
function isPresent(): boolean {
  try {
    return require.resolve(BINDING) !== '';
  } catch {
    return false;
  }
}

/** What is missing, and the two ways to get it. */
function missing(): string {
  const { platform, arch } = process;
  const libc = platform === 'linux' ? (isMusl() ? 'musl' : 'gnu') : platform === 'win32' ? 'msvc' : undefined;
  const name = ['@otlp-arrow/node', platform, arch, libc].filter(Boolean).join('-');
  return [
    `otlp-arrow: the native addon for ${platform} ${arch}${libc ? ` (${libc})` : ''} could not be loaded.`,
    `Add its package: npm install ${name} (a lock file made on another platform may have left it out: npm bug 4828).`,
    'Where there is none, build it: install Rust from https://rustup.rs, clone https://github.com/otlp-arrow/otlp-arrow,',
    'run `npm ci && npm run build`, and set NAPI_RS_NATIVE_LIBRARY_PATH to the .node file in ts/native.',
  ].join('\n');
}

function isMusl(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

import { BUNDLED, require } from './require.js';

type Native = typeof import('../native/binding.cjs');

const BINDING = '../native/binding.cjs';

/** The addon of this platform. */
export const native: Native = load();

function load(): Native {
  try {
    return require(BINDING) as Native;
  } catch (error) {
    throw new Error(isPresent() ? missing(error) : BUNDLED, { cause: error });
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

/** What is wrong, and what to do about it. */
function missing(error: unknown): string {
  const { platform, arch } = process;
  const libc = platform === 'linux' ? (isMusl() ? 'musl' : 'gnu') : platform === 'win32' ? 'msvc' : undefined;
  const name = ['@otlp-arrow/node', platform, arch, libc].filter(Boolean).join('-');
  const refused = refusal(error);
  const lines = [
    `otlp-arrow: the native addon for ${platform} ${arch}${libc ? ` (${libc})` : ''} could not be loaded${refused ? `: ${refused}` : '.'}`,
  ];
  if (refused?.includes('addons is disabled')) {
    return [...lines, 'Start Node.js with --allow-addons beside --permission, and without --no-addons.'].join('\n');
  }
  lines.push(
    refused
      ? 'It is installed and does not fit this system, or is damaged. Install it anew, or build it:'
      : `Add its package: npm install ${name} (a lock file made on another platform may have left it out: npm bug 4828).\nWhere there is none, build it:`,
    'install Rust from https://rustup.rs, clone https://github.com/otlp-arrow/otlp-arrow, run `npm ci && npm run build`,',
    'and set NAPI_RS_NATIVE_LIBRARY_PATH to the .node file in ts/native.',
  );
  return lines.join('\n');
}

/** Why an addon that is there was not loaded, among the reasons of every place that was tried: their chain has texts only. */
function refusal(error: unknown): string | undefined {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) {
    const { message } = at as Error;
    if (!/^(Cannot find|Unsupported) /.test(message)) return message;
  }
  return undefined;
}

function isMusl(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

import addon from '#addon';
import { ABI, PLATFORM } from './addon/abi.js';
import { around, at, built, FILE, PACKAGE } from './addon/around.js';
import { isBundled, remedies } from './addon/bundle.js';
import { require } from './require.js';
import { VERSION } from './vocabulary.js';

type Native = typeof import('../native/binding.cjs');

/** An addon that is named in so many words: no other is looked for. */
const NAMED = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;

const BUILD = [
  'install Rust from https://rustup.rs, clone https://github.com/otlp-arrow/otlp-arrow, run `npm ci && npm run build`,',
  'and set NAPI_RS_NATIVE_LIBRARY_PATH to the .node file in ts/native.',
];

class OtherVersion extends Error {}

/** The addon of this platform. */
export const native: Native = load();

function load(): Native {
  const failures: unknown[] = [];
  for (const way of NAMED ? [named] : [built, installed, around]) {
    try {
      const found = way();
      if (found) return checked(found as Native);
    } catch (error) {
      failures.push(error);
    }
  }
  // Where one was found and not loaded, those that were not found are not worth a word.
  const refused = failures.find(failure => NAMED || !isAbsence(failure));
  throw new Error(refused ? refusal(refused) : absence(), { cause: refused ?? failures[0] });
}

/** In the package of this platform, where a tool that copies or compiles has left it. */
function installed(): unknown {
  const found = addon(ABI);
  return typeof found === 'string' ? at(found) : found;
}

function named(): unknown {
  return require(NAMED!);
}

/** An addon that was found elsewhere than in our own dependencies may be of another time. */
function checked(found: Native): Native {
  const version = typeof found.version === 'function' ? found.version() : 'an older version';
  if (version === VERSION) return found;
  throw new OtherVersion(`it is of ${version}, and this is otlp-arrow ${VERSION}`);
}

function isAbsence(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND' || /^Cannot find /.test(message);
}

/** Why an addon that is there was not loaded, and what to do about it. */
function refusal(error: unknown): string {
  const said = `otlp-arrow: the native addon for ${PLATFORM} could not be loaded: ${(error as Error).message}`;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_DLOPEN_DISABLED') {
    return `${said}\nStart Node.js with --allow-addons beside --permission, and without --no-addons.`;
  }
  if (error instanceof OtherVersion) {
    return `${said}\nInstall ${PACKAGE}@${VERSION} and deploy both anew; in a checkout: npm run build:native.`;
  }
  return [
    said,
    'It is installed and does not fit this system, or is damaged. Install it anew, or build it:',
    ...BUILD,
  ].join('\n');
}

/** What to do where no addon was found. */
function absence(): string {
  if (!isBundled()) {
    return [
      `otlp-arrow: the native addon for ${PLATFORM} could not be loaded.`,
      `Add its package: npm install ${PACKAGE} (a lock file made on another platform may have left it out: npm bug 4828;`,
      'an output that was built on another platform has the addon of that one).',
      'Where there is none, build it:',
      ...BUILD,
    ].join('\n');
  }
  return [
    `otlp-arrow is part of a bundle, and its native addon for ${PLATFORM} is not where that runs.`,
    `Leave it out of the bundle and install it beside, or put ${FILE} of ${PACKAGE} into the folder of the bundle:`,
    ...remedies(),
  ].join('\n');
}

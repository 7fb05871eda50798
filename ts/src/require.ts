import module from 'node:module';
import { isAbsolute } from 'node:path';

/** The place of this file or, in a bundle that gives its modules none, of the bundle or of what was started. */
export const here: string = place();

/**
 * Loads CommonJS modules as a file sees them. Bundlers read calls of `createRequire` and warn of those they cannot work
 * out, unless it is called by another name.
 */
export const requireFrom = (place: string): NodeJS.Require => module.createRequire(place);

/** Loads CommonJS modules as this package sees them. */
export const require = requireFrom(here);

function place(): string {
  // A bundle in CommonJS form may have none.
  const own: string | undefined = import.meta.url;
  if (own?.startsWith('file:')) return own;
  // A module of ECMAScript form has no such name: its bundle may.
  const bundle = typeof __filename === 'string' ? __filename : process.argv[1];
  return bundle !== undefined && isAbsolute(bundle) ? bundle : process.execPath;
}

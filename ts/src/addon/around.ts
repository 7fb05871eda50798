import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { here, requireFrom } from '../require.js';
import { ABI } from './abi.js';

/** The file of the addon. */
export const FILE = `otlp-arrow.${ABI}.node`;
/** The package it is in. */
export const PACKAGE = `@otlp-arrow/node-${ABI}`;

/** Where this code stands, a bundle it is a part of or this file. */
const PLACE = here.startsWith('file:') ? fileURLToPath(here) : here;

/** In a checkout, what was built there. */
export function built(): unknown {
  return at(join(dirname(PLACE), '../native', FILE));
}

/** The addon for a bundle: beside it, in packages it sees, and in those that what was started sees. */
export function around(): unknown {
  for (const folder of folders()) {
    const found = at(join(folder, FILE)) ?? seenFrom(folder);
    if (found) return found;
  }
  return undefined;
}

/** The addon in a file, if there is one. */
export function at(file: string): unknown {
  return existsSync(file) ? requireFrom(file)(file) : undefined;
}

/** The package of the platform, which strict package managers show to nobody but the package that depends on it. */
function seenFrom(folder: string): unknown {
  const from = requireFrom(join(folder, 'any.js'));
  const own = resolved(from, 'otlp-arrow/package.json');
  for (const root of own ? [from, requireFrom(own)] : [from]) {
    const file = resolved(root, `${PACKAGE}/${FILE}`);
    if (file) return root(file);
  }
  return undefined;
}

function resolved(from: NodeJS.Require, name: string): string | undefined {
  try {
    return from.resolve(name);
  } catch {
    return undefined;
  }
}

/** Folders of this code, of what was started and of the program that runs it, which may be a compiled one. */
function folders(): Set<string> {
  const found = [dirname(PLACE)];
  const started = process.argv[1];
  // It may be a link, or with `node .` a folder.
  if (started && isAbsolute(started)) found.push(dirname(started), dirname(real(started)), started);
  found.push(dirname(process.execPath));
  const { resourcesPath } = process as { resourcesPath?: string };
  // Electron's: beside its archive is what cannot be loaded from within it.
  if (resourcesPath) found.push(join(resourcesPath, 'app.asar.unpacked'), resourcesPath);
  return new Set(found);
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

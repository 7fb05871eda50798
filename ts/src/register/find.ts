import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { here } from '../require.js';
import { quickly } from './quick.js';

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: object;
  readonly devDependencies?: object;
  readonly optionalDependencies?: object;
}

/** A package, and a file of a package that sees it. */
export interface Seen {
  readonly name: string;
  readonly root: string;
}

/** Folders of the program, and those above them: a workspace's root is one of them. */
function folders(): string[] {
  const script = process.argv[1];
  const found = new Set<string>();
  for (const place of [script ? dirname(resolve(script)) : process.cwd(), process.cwd()]) {
    for (let folder = place; ; folder = dirname(folder)) {
      found.add(folder);
      if (folder === dirname(folder)) break;
    }
  }
  return [...found];
}

/** The package.json files of the program and of the workspace it is a part of: for strict package managers only what they name is there. */
function manifests(): string[] {
  return folders()
    .map(folder => join(folder, 'package.json'))
    .filter(file => existsSync(file));
}

/** From where packages count as installed, the program's before ours: its own script, the working directory, their packages, here. */
function roots(): string[] {
  const script = process.argv[1];
  const places = [script ? dirname(resolve(script)) : process.cwd(), process.cwd()];
  return [...new Set([...places.map(place => join(place, 'package.json')), ...manifests(), here])];
}

/** The file of a package as seen from the program, to look further from; undefined if it is not installed. */
export function installed(name: string): string | undefined {
  for (const root of roots()) {
    const file = seenFrom({ name, root });
    if (file) return file;
  }
  return undefined;
}

/** The version of the package that one of its files is in, if that can be found. */
export function versionOf(name: string, file: string): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
      if (manifest.name === name) return manifest.version;
    } catch {
      // It is further up.
    }
  }
  return undefined;
}

/** The version of a package as seen from a file of another. */
export function versionSeen(name: string, from: string): string | undefined {
  const file = seenFrom({ name, root: from });
  return file && versionOf(name, file);
}

/** The file of a package as seen from another. */
export function seenFrom({ name, root }: Seen): string | undefined {
  try {
    return createRequire(root).resolve(name);
  } catch {
    return undefined;
  }
}

/** Whether Node.js, without any preload, would load it as an ECMAScript module. */
export function isModule(file: string): boolean {
  if (extname(file) === '.mjs') return true;
  if (extname(file) === '.cjs') return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) return /"type"\s*:\s*"module"/.test(readFileSync(manifest, 'utf8'));
    if (folder === dirname(folder)) return false;
  }
}

/** Loads a CommonJS package as another one, given by its file, sees it: so both are of one version. */
export const loadNow = <T>(name: string, from: string): T => quickly(() => createRequire(from)(name) as T);

/** The same for a package of whatever modules. */
export async function load<T>(name: string, from: string): Promise<T> {
  const file = createRequire(from).resolve(name);
  // Importing a CommonJS module reads it, and all it re-exports, once more for their names.
  if (!isModule(file)) return loadNow<T>(name, from);
  const module = (await import(pathToFileURL(file).href)) as T & { default?: T };
  return module.default ?? module;
}

/** The packages of the scope that are in folders the program sees. */
export function inScope(scope: string): Seen[] {
  const found: Seen[] = [];
  for (const root of roots()) {
    for (const folder of createRequire(root).resolve.paths(`${scope}/any`) ?? []) {
      const place = join(folder, scope);
      if (!existsSync(place)) continue;
      for (const name of readdirSync(place).sort()) {
        found.push({ name: `${scope}/${name}`, root: join(place, 'package.json') });
      }
    }
  }
  return found;
}

/** What the program and its workspace name in their package.json, wherever a package manager keeps it. */
export function dependencies(): Seen[] {
  return manifests().flatMap(root => named(root).map(name => ({ name, root })));
}

function named(file: string): string[] {
  try {
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
    const { dependencies, optionalDependencies, devDependencies } = manifest;
    return Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).sort();
  } catch {
    // Not ours to complain of.
    return [];
  }
}

import { type Dirent, readdirSync } from 'node:fs';
import Module from 'node:module';
import { basename, dirname, join, sep } from 'node:path';

type Parent = { filename?: string | null } | null | undefined;
type Resolve = (name: string, parent: Parent, isMain: boolean, options?: object) => string;

const FOLDER = `${sep}node_modules${sep}`;

/**
 * Runs what requires many small files of packages, of which Node.js asks the system five times a file where each is.
 * Here each folder is read once, and what another package is to one of them is looked up once a package.
 */
export function quickly<T>(work: () => T): T {
  const loader = Module as unknown as { _resolveFilename?: Resolve };
  const { _resolveFilename } = loader;
  if (typeof _resolveFilename !== 'function') return work();
  const folders = new Map<string, ReadonlyMap<string, Dirent>>();
  const packages = new Map<string, string>();

  const quick: Resolve = function (this: unknown, name, parent, isMain, options) {
    const from = parent?.filename;
    const home = from && !isMain && !options ? packageOf(from) : undefined;
    if (!from || !home) return _resolveFilename.call(this, name, parent, isMain, options);
    if (name.startsWith('./') || name.startsWith('../')) {
      return file(folders, join(dirname(from), name)) ?? _resolveFilename.call(this, name, parent, isMain);
    }
    const key = `${home}\0${name}`;
    const known = packages.get(key) ?? _resolveFilename.call(this, name, parent, isMain);
    packages.set(key, known);
    return known;
  };
  loader._resolveFilename = quick;
  try {
    return work();
  } finally {
    if (loader._resolveFilename === quick) loader._resolveFilename = _resolveFilename;
  }
}

/** The package below a node_modules that a file is in. */
function packageOf(file: string): string | undefined {
  const start = file.lastIndexOf(FOLDER) + FOLDER.length;
  if (start < FOLDER.length) return undefined;
  const [scope = '', name = ''] = file.slice(start).split(sep, 2);
  return file.slice(0, start) + (scope.startsWith('@') ? join(scope, name) : scope);
}

/** What Node.js would find at a place without an extension, where it is a plain file and nothing else can be meant. */
function file(folders: Map<string, ReadonlyMap<string, Dirent>>, place: string): string | undefined {
  const entries = list(folders, dirname(place));
  const name = basename(place);
  const own = entries.get(name);
  if (own && !own.isDirectory()) return undefined;
  const script = entries.get(`${name}.js`);
  if (script) return script.isFile() ? `${place}.js` : undefined;
  if (!own || entries.has(`${name}.json`) || entries.has(`${name}.node`)) return undefined;
  const inside = list(folders, place);
  return inside.get('index.js')?.isFile() && !inside.has('package.json') ? join(place, 'index.js') : undefined;
}

function list(folders: Map<string, ReadonlyMap<string, Dirent>>, folder: string): ReadonlyMap<string, Dirent> {
  let entries = folders.get(folder);
  if (!entries) {
    try {
      entries = new Map(readdirSync(folder, { withFileTypes: true }).map(entry => [entry.name, entry]));
    } catch {
      // Node.js says it better.
      entries = new Map();
    }
    folders.set(folder, entries);
  }
  return entries;
}

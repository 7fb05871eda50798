/**
 * Lets package-lock.json name the optional packages of every platform, so that `npm ci` works on each. npm leaves out what
 * its registry lacks, as a mirror may that holds packages of one platform only, and then refuses the lock on every other.
 *
 *     node test/dist/scripts/lock.js      adds what is missing: version and platform; npm fills in the rest where it installs them
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, run } from './run.js';

interface Entry {
  readonly version: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  packages: Record<string, Entry>;
}

const FILE = join(ROOT, 'package-lock.json');
const SUFFIX = /-(?:(wasm32)-wasi|(android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(?:-(\w+))?)$/;

/** Optional packages that the lock does not have, by the place npm looks for, with the entry to add. */
function missing({ packages }: Lock): [string, object][] {
  const found: [string, object][] = [];
  for (const [parent, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const places = [`${parent}/node_modules/${name}`, `node_modules/${name}`];
      if (places.some(place => place in packages)) continue;
      found.push([`node_modules/${name}`, { version, ...platform(name), ...(dev && { dev }), optional: true }]);
    }
  }
  return found;
}

/** What the name of a package says of where it runs. */
function platform(name: string): object {
  const [, wasm, os, cpu, abi = ''] = SUFFIX.exec(name) ?? [];
  if (wasm) return { cpu: [wasm] };
  if (!os || !cpu) throw new Error(`${name} does not say its platform: add it to package-lock.json by hand`);
  const libc = os !== 'linux' ? undefined : abi === 'gnu' ? 'glibc' : abi.startsWith('musl') ? 'musl' : undefined;
  return { cpu: [cpu], ...(libc && { libc: [libc] }), os: [os] };
}

/** Fails naming what `npm ci` would miss on another platform, and what `npm install` just changed. */
export async function lockIsFresh(): Promise<void> {
  const lock = JSON.parse(readFileSync(FILE, 'utf8')) as Lock;
  const names = missing(lock).map(([place]) => place);
  if (names.length > 0) {
    throw new Error(`package-lock.json lacks ${names.join(', ')}: node test/dist/scripts/lock.js adds them`);
  }
  // Only places and versions: npm adds the checksums of what it installs here.
  const committed = JSON.parse(await run('git', ['show', 'HEAD:package-lock.json'], { quiet: true })) as Lock;
  const [here, there] = [lock, committed].map(({ packages }) =>
    Object.entries(packages).map(([place, { version }]) => `${place} ${version}`),
  );
  const changed = here!.filter(line => !there!.includes(line)).concat(there!.filter(line => !here!.includes(line)));
  if (changed.length > 0) throw new Error(`package-lock.json is stale, commit it: ${changed.join(', ')}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const lock = JSON.parse(readFileSync(FILE, 'utf8')) as Lock;
  const added = missing(lock);
  Object.assign(lock.packages, Object.fromEntries(added));
  writeFileSync(FILE, `${JSON.stringify(lock, undefined, 2)}\n`);
  await run('npm', ['install', '--no-audit', '--no-fund'], { quiet: true }); // puts them in npm's order
  console.log(`${added.length} added`);
}

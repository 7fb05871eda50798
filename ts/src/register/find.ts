import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Folders whose packages count as installed, the program's before ours: its own script's, the working directory, here. */
export function roots(): string[] {
  const script = process.argv[1];
  const places = [script ? dirname(resolve(script)) : process.cwd(), process.cwd()];
  return [...new Set(places.map(place => join(place, 'package.json'))), import.meta.url];
}

/** The file of a package as seen from the program, to look further from; undefined if it is not installed. */
export function installed(name: string): string | undefined {
  for (const root of roots()) {
    try {
      return createRequire(root).resolve(name);
    } catch {
      // Not seen from here.
    }
  }
  return undefined;
}

/** Loads a package as another one, given by its file, sees it: so both are of one version. */
export async function load<T>(name: string, from: string): Promise<T> {
  const file = createRequire(from).resolve(name);
  const module = (await import(pathToFileURL(file).href)) as T & { default?: T };
  return module.default ?? module;
}

/** The folders named node_modules/@opentelemetry that the program sees. */
export function scopeFolders(): string[] {
  const found = new Set<string>();
  for (const root of roots()) {
    for (const folder of createRequire(root).resolve.paths('@opentelemetry/api') ?? []) {
      const scope = join(folder, '@opentelemetry');
      if (existsSync(scope)) found.add(scope);
    }
  }
  return [...found];
}

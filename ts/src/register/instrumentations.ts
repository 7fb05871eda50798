import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { installed, load, scopeFolders } from './find.js';
import { type Found, hookModules } from './hooks.js';
import { say } from './say.js';

const ALL = '@opentelemetry/auto-instrumentations-node';

type Constructor = new () => unknown;

/** Every instrumentation the program has installed: the collection of them if it is there, else each by itself. */
export async function instrumentations(): Promise<unknown[]> {
  const all = installed(ALL);
  const found = all ? await collection(all) : await single();
  await hookModules(found);
  return found.map(({ instrumentation }) => instrumentation);
}

async function collection(from: string): Promise<Found[]> {
  const { getNodeAutoInstrumentations } = await load<{ getNodeAutoInstrumentations(): unknown[] }>(ALL, from);
  return getNodeAutoInstrumentations().map(instrumentation => ({ instrumentation, from }));
}

async function single(): Promise<Found[]> {
  const found: Found[] = [];
  const seen = new Set<string>();
  for (const scope of scopeFolders()) {
    for (const folder of readdirSync(scope).sort()) {
      if (!folder.startsWith('instrumentation-') || seen.has(folder)) continue;
      seen.add(folder);
      found.push(...(await ofPackage(`@opentelemetry/${folder}`, scope)));
    }
  }
  return found;
}

/** The instrumentations a package exports; one that cannot be loaded is left out and named. */
async function ofPackage(name: string, scope: string): Promise<Found[]> {
  try {
    const from = createRequire(`${scope}/package.json`).resolve(name);
    const module = await load<Record<string, unknown>>(name, `${scope}/package.json`);
    const classes = Object.entries(module).filter(
      (entry): entry is [string, Constructor] => entry[0].endsWith('Instrumentation') && typeof entry[1] === 'function',
    );
    return classes.map(([, Class]) => ({ instrumentation: new Class(), from }));
  } catch (error) {
    say(`${name} is not used: ${error instanceof Error ? error.message : error}`);
    return [];
  }
}

import { readdirSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { installed, load, scopeFolders } from './find.js';
import { say } from './say.js';

const ALL = '@opentelemetry/auto-instrumentations-node';

interface Instrumentation {
  readonly instrumentationName: string;
}
type Constructor = new () => Instrumentation;

/** Every instrumentation the program has installed: the collection of them if it is there, else each by itself. */
export async function instrumentations(): Promise<unknown[]> {
  const all = installed(ALL);
  const found = all
    ? (await load<{ getNodeAutoInstrumentations(): unknown[] }>(ALL, all)).getNodeAutoInstrumentations()
    : await single();
  hookModules(all);
  return found;
}

async function single(): Promise<Instrumentation[]> {
  const found: Instrumentation[] = [];
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
async function ofPackage(name: string, scope: string): Promise<Instrumentation[]> {
  try {
    const module = await load<Record<string, unknown>>(name, `${scope}/package.json`);
    const classes = Object.entries(module).filter(
      (entry): entry is [string, Constructor] => entry[0].endsWith('Instrumentation') && typeof entry[1] === 'function',
    );
    return classes.map(([, Class]) => new Class());
  } catch (error) {
    say(`${name} is not used: ${error instanceof Error ? error.message : error}`);
    return [];
  }
}

/** Lets instrumentations see what ECMAScript modules import; what CommonJS requires they see without it. */
function hookModules(from: string | undefined): void {
  for (const place of [from, installed('@opentelemetry/sdk-node')]) {
    if (!place) continue;
    try {
      const hook = createRequire(place).resolve('@opentelemetry/instrumentation/hook.mjs');
      register(pathToFileURL(hook).href);
      return;
    } catch {
      // Not seen from there.
    }
  }
}

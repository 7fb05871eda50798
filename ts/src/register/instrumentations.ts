import { isMainThread } from 'node:worker_threads';
import { dependencies, inScope, installed, load, type Seen, seenFrom } from './find.js';
import { OF_CHANNELS } from './first-use.js';
import { type Found, hookModules, startHooks } from './hooks.js';
import { withoutConventions } from './lazy.js';
import { say } from './say.js';

const ALL = '@opentelemetry/auto-instrumentations-node';
const SCOPE = '@opentelemetry';
const OFFICIAL = `${SCOPE}/instrumentation-`;
/** What others call theirs: @prisma/instrumentation, @fastify/otel. */
const THIRD_PARTY = /instrumentation|otel\b|opentelemetry/;

type Constructor = new () => unknown;

/**
 * Every instrumentation the program has installed: the collection of them if it is there, else each by itself; and those
 * of others that the program names itself.
 */
export async function instrumentations(): Promise<unknown[]> {
  const all = installed(ALL);
  const seen = new Set<string>();
  const found = all ? await collection(all) : await each([...dependencies(), ...inScope(SCOPE)], isOfficial, seen);
  found.push(...(await each(dependencies(), isThirdParty, seen)));
  if (found.length === 0) sayNone();
  await hookModules(found);
  return found.map(({ instrumentation }) => instrumentation);
}

const isOfficial = (name: string): boolean => name.startsWith(OFFICIAL);
const isThirdParty = (name: string): boolean => !name.startsWith(`${SCOPE}/`) && THIRD_PARTY.test(name);

async function collection(from: string): Promise<Found[]> {
  startHooks();
  const { getNodeAutoInstrumentations } = await load<{ getNodeAutoInstrumentations(): unknown[] }>(ALL, from);
  return getNodeAutoInstrumentations().map(instrumentation => ({ instrumentation, from }));
}

async function each(packages: readonly Seen[], wanted: (name: string) => boolean, seen: Set<string>): Promise<Found[]> {
  const found: Found[] = [];
  for (const one of packages) {
    if (!wanted(one.name) || seen.has(one.name) || !seenFrom(one)) continue;
    seen.add(one.name);
    if (one.name !== OF_CHANNELS) startHooks();
    found.push(...(await ofPackage(one)));
  }
  return found;
}

/** The instrumentations a package exports; one that cannot be loaded is left out and named. */
async function ofPackage({ name, root }: Seen): Promise<Found[]> {
  try {
    const from = seenFrom({ name, root })!;
    const module = await withoutConventions(() => load<Record<string, unknown>>(name, root));
    return Object.entries(module)
      .filter(isInstrumentation)
      .map(([, Class]) => ({ instrumentation: new Class(), from }));
  } catch (error) {
    say(`${name} is not used: ${error instanceof Error ? error.message : error}`);
    return [];
  }
}

function isInstrumentation(entry: [string, unknown]): entry is [string, Constructor] {
  const [name, value] = entry;
  return (
    name.endsWith('Instrumentation') &&
    typeof value === 'function' &&
    typeof (value.prototype as { setTracerProvider?: unknown } | undefined)?.setTracerProvider === 'function'
  );
}

/** A program whose spans are all its own may well want that, and says so by switching the log off. */
function sayNone(): void {
  if (!isMainThread || process.env.OTLP_ARROW_LOG__LEVEL?.trim().toLowerCase() === 'off') return;
  say(`no instrumentation was found, only what the program records itself is kept: npm install ${ALL}`);
}

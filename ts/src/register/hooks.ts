import module, { createRequire, register } from 'node:module';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { say } from './say.js';

/** What an instrumentation of OpenTelemetry's own base class says it wraps. */
interface Instrumentation {
  readonly _modules?: readonly { readonly name: string; readonly files?: readonly { readonly name: string }[] }[];
}

/** An instrumentation, and the file from which its base class is seen. */
export interface Found {
  readonly instrumentation: unknown;
  readonly from: string;
}

/** What is used of import-in-the-middle, by which OpenTelemetry's instrumentations see imports. */
interface Middle {
  createAddHookMessageChannel?(): {
    registerOptions: { data: { include: (string | RegExp)[] }; transferList: never[] };
  };
}
interface SyncMiddle {
  supportsSyncHooks(): boolean;
  register(options: { include: (string | RegExp)[] }): void;
}

/** From this version on Node.js warns of hooks in a thread of their own. */
const ONLY_SYNC = 26;

/**
 * Lets instrumentations see what ECMAScript modules import; what CommonJS requires they see without it. Nothing is
 * hooked unless one of them wraps something, and nothing but that is wrapped: a wrapped module is a copy with bindings
 * of its own, which not every module bears.
 */
export async function hookModules(found: readonly Found[]): Promise<void> {
  /** What is to be wrapped, by the copy of import-in-the-middle that tells of it. */
  const wanted = new Map<string, Set<string | RegExp>>();
  for (const { instrumentation, from } of found) {
    const modules = (instrumentation as Instrumentation)._modules;
    if (!Array.isArray(modules) || modules.length === 0) continue;
    const middle = middleOf(from);
    if (!middle) continue;
    const names = wanted.get(middle) ?? new Set();
    wanted.set(middle, names);
    for (const name of modules.flatMap(patterns)) names.add(name);
  }
  for (const [middle, names] of wanted) {
    try {
      await hook(middle, distinct(names));
    } catch (error) {
      // What is required, and what the program records itself, is kept all the same.
      say(`what ECMAScript modules import is not instrumented: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/**
 * Starts the thread in which hooks will run, if they run in one: while it starts, instrumentations are loaded here. It is
 * waited for when hooks are registered in it, or something is imported.
 */
export function startHooks(): void {
  if (started || !loaderHooks() || 'registerHooks' in module) return;
  started = true;
  // Node.js starts it before it looks at the name.
  const noName = {
    toString() {
      throw new TypeError('no name');
    },
  };
  try {
    register(noName as unknown as string, import.meta.url);
  } catch {
    // Nothing is registered yet.
  }
}

let started = false;

/** The main file of import-in-the-middle as the base class of an instrumentation sees it. */
function middleOf(from: string): string | undefined {
  try {
    return createRequire(createRequire(from).resolve('@opentelemetry/instrumentation')).resolve('import-in-the-middle');
  } catch {
    return undefined;
  }
}

/** How the imports of a module look: by its name, and of its inner files by where they are. */
function patterns(module: { name: string; files?: readonly { name: string }[] }): (string | RegExp)[] {
  const files = (module.files ?? []).map(({ name }) => new RegExp(`/node_modules/${escaped(name)}$`));
  return [isAbsolute(module.name) ? pathToFileURL(module.name).href : module.name, ...files];
}

const escaped = (text: string): string => text.replaceAll('\\', '/').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

function distinct(names: ReadonlySet<string | RegExp>): (string | RegExp)[] {
  return [...new Map([...names].map(name => [String(name), name])).values()];
}

async function hook(middle: string, include: (string | RegExp)[]): Promise<void> {
  const from = createRequire(middle);
  const sync = await syncHooks(from);
  if (sync) {
    sync.register({ include });
    return;
  }
  const { createAddHookMessageChannel } = from(middle) as Middle;
  if (!createAddHookMessageChannel || !loaderHooks()) {
    say(`what ECMAScript modules import is not instrumented, what CommonJS requires is: ${reason()}`);
    return;
  }
  const { registerOptions } = createAddHookMessageChannel();
  registerOptions.data.include.push(...include);
  const file = pathToFileURL(from.resolve('import-in-the-middle/hook.mjs')).href;
  const hooks = new URL('./middle.js', import.meta.url);
  // A module of its own for each copy.
  hooks.search = `of=${encodeURIComponent(file)}`;
  register(hooks, { ...registerOptions, data: { file, data: registerOptions.data } });
}

const reason = (): string =>
  process.versions.bun
    ? 'Bun has no hooks for it'
    : `the import-in-the-middle that is installed cannot wrap single modules in Node.js ${process.versions.node}. ` +
      'Update @opentelemetry/instrumentation';

/** Whether this runtime has hooks in a thread of their own: Bun only looks so. */
function loaderHooks(): boolean {
  return !process.versions.bun && Number.parseInt(process.versions.node, 10) < ONLY_SYNC;
}

/** Hooks in the program's own thread, where this Node.js and this import-in-the-middle have them. */
async function syncHooks(from: NodeJS.Require): Promise<SyncMiddle | undefined> {
  if (!('registerHooks' in module)) return undefined;
  try {
    const file = from.resolve('import-in-the-middle/register-hooks.mjs');
    const middle = (await import(pathToFileURL(file).href)) as SyncMiddle;
    // Bun says the version of a Node.js that has them, and has them not.
    return middle.supportsSyncHooks() ? middle : undefined;
  } catch {
    return undefined;
  }
}

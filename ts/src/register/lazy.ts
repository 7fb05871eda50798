import Module from 'node:module';
import { dirname, sep } from 'node:path';

type Load = (name: string, parent: { filename?: string } | undefined, isMain: boolean) => unknown;

/** What the SDK sends elsewhere with, which a recorded program never asks for: a third of what loading it takes. */
const UNUSED = /^@opentelemetry\/(?:exporter-|otlp-|configuration$)/;
/** What only those ask for who name it: propagators, earlier names of the SDK's parts, its start by a file. */
const SELDOM = /^(?:@opentelemetry\/(?:propagator-|sdk-trace-(?:base|node)$)|\.\/start$)/;
/** What instrumentations ask for when something is to be recorded. */
const OF_RECORDS = /^@opentelemetry\/(?:core|semantic-conventions)$/;
const INSTRUMENTATION = `${sep}node_modules${sep}@opentelemetry${sep}instrumentation-`;

/**
 * Loads the SDK, whose file is given, without the exporters, the reader of configuration files and other things it
 * brings: each is loaded when something of it is used for the first time, by whoever does. Nothing is changed but while
 * `load` runs.
 */
export function withoutExporters<T>(file: string, load: () => T): T {
  const folder = dirname(file) + sep;
  return leavingOut((name, from) => (UNUSED.test(name) || SELDOM.test(name)) && from.startsWith(folder), load);
}

/** Loads an instrumentation without what it needs only once something is to be recorded, in the same way. */
export function withoutConventions<T>(load: () => T): T {
  return leavingOut((name, from) => OF_RECORDS.test(name) && from.includes(INSTRUMENTATION), load);
}

function leavingOut<T>(isLeft: (name: string, from: string) => boolean, load: () => T): T {
  const loader = Module as unknown as { _load?: Load };
  const { _load } = loader;
  if (typeof _load !== 'function') return load();
  const lazily: Load = function (this: unknown, name, parent, isMain) {
    const from = parent?.filename;
    if (!from || !isLeft(name, from)) return _load.call(this, name, parent, isMain);
    return onUse(() => _load.call(this, name, parent, isMain) as object);
  };
  loader._load = lazily;
  try {
    return load();
  } finally {
    if (loader._load === lazily) loader._load = _load;
  }
}

/** Stands for a module until something of it is asked for; from then on it has the same properties. */
function onUse(load: () => object): object {
  const own = {};
  let loaded: object | undefined;
  const module = (): object => {
    if (loaded) return loaded;
    loaded = load();
    // Without a function to call for each look-up, which instrumentations have many of for each request.
    if (typeof loaded === 'object') {
      Object.defineProperties(own, Object.getOwnPropertyDescriptors(loaded));
      for (const trap of Object.keys(traps)) delete traps[trap as keyof typeof traps];
    }
    return loaded;
  };
  const traps: ProxyHandler<object> = {
    get: (_, key) => Reflect.get(module(), key),
    has: (_, key) => Reflect.has(module(), key),
    ownKeys: () => Reflect.ownKeys(module()),
    getOwnPropertyDescriptor: (_, key) => {
      const found = Reflect.getOwnPropertyDescriptor(module(), key);
      return found && { ...found, configurable: true };
    },
  };
  return new Proxy(own, traps);
}

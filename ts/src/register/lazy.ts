import Module from 'node:module';
import { dirname, sep } from 'node:path';

type Load = (name: string, parent: { filename?: string } | undefined, isMain: boolean) => unknown;

/** What the SDK sends elsewhere with, which a recorded program never asks for: a third of what loading it takes. */
const UNUSED = /^@opentelemetry\/(?:exporter-|otlp-|configuration$)/;

/**
 * Loads the SDK, whose file is given, without the exporters and the reader of configuration files it brings: each is
 * loaded when something of it is used for the first time, by whoever does. Nothing is changed but while `load` runs.
 */
export function withoutExporters<T>(file: string, load: () => T): T {
  const loader = Module as unknown as { _load?: Load };
  const { _load } = loader;
  if (typeof _load !== 'function') return load();
  const folder = dirname(file) + sep;
  const lazily: Load = function (this: unknown, name, parent, isMain) {
    if (!UNUSED.test(name) || !parent?.filename?.startsWith(folder)) return _load.call(this, name, parent, isMain);
    return onUse(() => _load.call(this, name, parent, isMain) as object);
  };
  loader._load = lazily;
  try {
    return load();
  } finally {
    if (loader._load === lazily) loader._load = _load;
  }
}

/** Stands for a module until something of it is asked for. */
function onUse(load: () => object): object {
  let loaded: object | undefined;
  const module = () => {
    loaded ??= load();
    return loaded;
  };
  return new Proxy(
    {},
    {
      get: (_, key) => Reflect.get(module(), key),
      has: (_, key) => Reflect.has(module(), key),
      ownKeys: () => Reflect.ownKeys(module()),
      getOwnPropertyDescriptor: (_, key) => {
        const found = Reflect.getOwnPropertyDescriptor(module(), key);
        return found && { ...found, configurable: true };
      },
    },
  );
}

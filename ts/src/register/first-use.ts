import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server } from 'node:net';

/** What is registered with the OpenTelemetry API, by its key there. */
const KINDS = ['trace', 'metrics', 'context', 'propagation'] as const;

type Api = { version: string } & { [kind in (typeof KINDS)[number]]?: unknown };

/** An instrumentation of OpenTelemetry's own base class, as far as it is changed here. */
interface Instrumentation {
  readonly instrumentationName?: string;
  readonly _modules?: unknown;
  _onRequire?: (this: unknown, ...words: unknown[]) => unknown;
}

/** Listens to channels instead of wrapping a module. */
export const OF_CHANNELS = '@opentelemetry/instrumentation-undici';
/**
 * Those of modules that many programs load and never use. They ask the API for a context or a propagator before they make a
 * span, and so need nothing from the moment on in which their module is loaded.
 */
const PATIENT: readonly unknown[] = [OF_CHANNELS, '@opentelemetry/instrumentation-http'];
/** Told of a server that begins to listen: its first request does not wait for the SDK. */
const LISTENS = 'tracing:net.server.listen:asyncStart';

/** Where all copies of the OpenTelemetry API in one thread find what is registered. */
const API = Symbol.for('opentelemetry.js.api.1');
const LOGS_API = Symbol.for('io.opentelemetry.js.api.logs');
const globals = globalThis as { [API]?: Api; [LOGS_API]?: unknown };

/** The signals for which the program has registered a provider with the OpenTelemetry API already. */
export function registered(): string[] {
  const api = globals[API];
  const taken: string[] = [];
  if (api?.trace) taken.push('traces');
  if (api?.metrics) taken.push('metrics');
  if ((api as { logs?: unknown } | undefined)?.logs ?? globals[LOGS_API]) taken.push('logs');
  return taken;
}

/** Whether {@link onFirstUse} would see every use there can be. */
export function isSeen(instrumentations: readonly unknown[]): boolean {
  if (globals[API] || globals[LOGS_API]) return false;
  return (instrumentations as readonly Instrumentation[]).every(
    ({ _modules, _onRequire, instrumentationName }) =>
      typeof _onRequire === 'function' &&
      Array.isArray(_modules) &&
      (_modules.length > 0 || instrumentationName === OF_CHANNELS),
  );
}

/**
 * Calls `begin` once, when telemetry is asked for: the API for a provider, a context or a propagator, by whoever, or an
 * instrumentation for its changes of a module, which the program loads; or when a server is to listen. Until then providers
 * are missed by nobody.
 *
 * @param version of the API with which the SDK registers, by which other copies decide whether they see it
 */
export function onFirstUse(version: string, instrumentations: readonly unknown[], begin: () => void): void {
  const api: Api = { version };
  const wrapped = (instrumentations as readonly Instrumentation[]).filter(
    ({ instrumentationName }) => !PATIENT.includes(instrumentationName),
  );
  let begun = false;
  const first = (): void => {
    if (begun) return;
    begun = true;
    unsubscribe(LISTENS, listens);
    // What was in the place of things goes first: they are found missing now.
    for (const kind of KINDS) delete api[kind];
    delete globals[LOGS_API];
    for (const one of wrapped) delete one._onRequire;
    begin();
  };
  const listens = (told: unknown): void => {
    // Not one between processes.
    if ((told as { server?: Server }).server?.listenerCount('request')) first();
  };
  subscribe(LISTENS, listens);
  for (const kind of KINDS) stand(api, kind, first);
  stand(globals, LOGS_API, first);
  globals[API] = api;
  for (const one of wrapped) {
    const { _onRequire } = one;
    one._onRequire = (...words) => {
      first();
      return _onRequire!.apply(one, words);
    };
  }
}

/** Stands in the place of a property: whoever reads or sets it has `first` called, and then the property itself. */
function stand<T extends object>(owner: T, key: keyof T, first: () => void): void {
  Object.defineProperty(owner, key, {
    configurable: true,
    enumerable: true,
    get: () => {
      first();
      return owner[key];
    },
    set: value => {
      first();
      owner[key] = value;
    },
  });
}

const API = Symbol.for('opentelemetry.js.api.1');
const LOGS_API = Symbol.for('io.opentelemetry.js.api.logs');

/** The signals for which the program has registered a provider with the OpenTelemetry API already. */
export function registered(): string[] {
  const globals = globalThis as {
    [API]?: { trace?: unknown; metrics?: unknown; logs?: unknown };
    [LOGS_API]?: unknown;
  };
  const api = globals[API];
  const taken: string[] = [];
  if (api?.trace) taken.push('traces');
  if (api?.metrics) taken.push('metrics');
  if (api?.logs ?? globals[LOGS_API]) taken.push('logs');
  return taken;
}

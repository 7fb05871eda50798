/** The OpenTelemetry API keeps what is registered with it under this key, whichever copy of it registered. */
const API = Symbol.for('opentelemetry.js.api.1');

interface Diag {
  warn(message: string): void;
}

/** Warns through the diag logger the host program registered with the OpenTelemetry API, if it did. */
export function warn(message: string): void {
  const api = (globalThis as { [API]?: { diag?: Diag } })[API];
  try {
    api?.diag?.warn(`otlp-arrow: ${message}`);
  } catch {
    // A logger that fails has nobody to be told.
  }
}

/**
 * Zero-code: `node --import otlp-arrow/register app.js` records the program's telemetry without a line of it changed.
 *
 * It starts the OpenTelemetry SDK for traces, metrics and logs, with the instrumentations that are installed, unless
 * the program has registered one already. Settings: `OTLP_ARROW_*` and `otlp-arrow.yaml` for what is kept and where,
 * the `OTEL_*` variables for the SDK. It never keeps the program from running: what goes wrong is said on stderr.
 */
import { keepRunMain } from './run-main.js';
import { sayNotRecorded } from './say.js';
import { start } from './start.js';

/** Set by the first copy of this package that comes here: a program and its bundle may each have one. */
const STARTED = Symbol.for('otlp-arrow.register');
const shared = globalThis as { [STARTED]?: boolean };

try {
  if (!shared[STARTED]) {
    shared[STARTED] = true;
    keepRunMain();
    await start();
  }
} catch (error) {
  sayNotRecorded(error);
}

export type * from './ask/answers.js';
export type { Asked, AskOptions } from './ask/asked.js';
export type * from './ask/questions.js';
export { type QueryLimits, Telemetry } from './ask/telemetry.js';
export { type Decoded, decode, encode, type Format } from './convert.js';
export type {
  Attributes,
  InstrumentationScope,
  ReadableLogRecord,
  ReadableSpan,
  Resource,
  ResourceMetrics,
} from './encoder/types.js';
export {
  BindFailedError,
  BufferFullError,
  ClosedError,
  ForbiddenError,
  InternalError,
  InvalidConfigError,
  InvalidDataError,
  OtlpError,
  StorageFailedError,
  StorageFullError,
  TimeoutError,
  TooLargeError,
  UnauthenticatedError,
  UnavailableError,
} from './errors.js';
export type { ExportResult } from './exporters/exporter.js';
export type { LogExporter } from './exporters/log.js';
export type { MetricExporter, MetricExporterOptions, Temporality } from './exporters/metric.js';
export type { ExporterOptions } from './exporters/options.js';
export type { SpanExporter } from './exporters/span.js';
export type { Forwarder, ForwarderInfo } from './forwarder.js';
export type { DestinationConfig, Duration, ListenConfig, OtlpConfig, ProxyConfig, Secret, Size } from './keys.js';
export { type ExportOutcome, OtlpLibrary } from './library.js';
export type { Health, LibraryStats, OtlpEvent, PerSignal, Sample } from './reports.js';
export { SIGNALS, type Signal } from './signal.js';
export type { ReadOptions } from './snapshot.js';
export type { Subscription } from './subscription.js';
export type { BreakerState, ErrorCode, EventName, HealthStatus, MetricName, Severity } from './vocabulary.js';

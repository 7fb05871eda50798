// Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.

/** What went wrong, chosen by what the caller should do next. The names are stable in every language. */
export type ErrorCode =
  | 'INVALID_CONFIG'
  | 'BIND_FAILED'
  | 'INVALID_DATA'
  | 'TOO_LARGE'
  | 'BUFFER_FULL'
  | 'STORAGE_FULL'
  | 'STORAGE_FAILED'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'UNAVAILABLE'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'INTERNAL';

/** What happened. */
export type EventName =
  | 'storage_full'
  | 'storage_failed'
  | 'storage_recovered'
  | 'file_recovered'
  | 'file_quarantined'
  | 'records_evicted'
  | 'forward_blocked'
  | 'forward_looped'
  | 'forward_downgraded'
  | 'forward_lagging'
  | 'forward_stalled'
  | 'forward_recovered'
  | 'breaker_opened'
  | 'breaker_half_open'
  | 'breaker_closed'
  | 'records_rejected'
  | 'records_dropped'
  | 'settings_ignored'
  | 'events_dropped';

/** How much an event asks of a person. */
export type Severity = 'info' | 'warn';

/** Everything that is counted. */
export type MetricName =
  | 'otlp_arrow_received_records_total'
  | 'otlp_arrow_refused_records_total'
  | 'otlp_arrow_refused_requests_total'
  | 'otlp_arrow_opened_streams_total'
  | 'otlp_arrow_committed_records_total'
  | 'otlp_arrow_dropped_records_total'
  | 'otlp_arrow_filtered_records_total'
  | 'otlp_arrow_forwarded_records_total'
  | 'otlp_arrow_forward_failed_records_total'
  | 'otlp_arrow_rejected_records_total'
  | 'otlp_arrow_forward_changed_records_total'
  | 'otlp_arrow_forward_lag_records'
  | 'otlp_arrow_forward_lag_seconds'
  | 'otlp_arrow_breaker_state'
  | 'otlp_arrow_forward_seconds'
  | 'otel_sdk_exporter_span_exported_total'
  | 'otel_sdk_exporter_span_inflight'
  | 'otel_sdk_exporter_metric_data_point_exported_total'
  | 'otel_sdk_exporter_metric_data_point_inflight'
  | 'otel_sdk_exporter_log_exported_total'
  | 'otel_sdk_exporter_log_inflight'
  | 'otlp_arrow_events_total'
  | 'otlp_arrow_commit_seconds'
  | 'otlp_arrow_request_seconds'
  | 'otlp_arrow_buffer_bytes'
  | 'otlp_arrow_disk_bytes'
  | 'otlp_arrow_read_skipped_files_total'
  | 'process_cpu_seconds_total'
  | 'process_resident_memory_bytes';

/** How well it goes. */
export type HealthStatus = 'ok' | 'degraded' | 'failing' | 'closed';

/** Where the circuit breaker of a destination stands. */
export type BreakerState = 'closed' | 'half_open' | 'open';

/** The fields of a library's statistics. */
export type StatsField =
  | 'acceptedRecords'
  | 'bufferBytes'
  | 'bufferMaxBytes'
  | 'committedRecords'
  | 'counters'
  | 'diskBytes'
  | 'droppedRecords'
  | 'events'
  | 'queuedRequests'
  | 'unsealedFiles'
  | 'waitingRecords';

/** The fields of a library's health. */
export type HealthField = 'accepting' | 'problems' | 'status';

/** The fields of one thing that is not well. */
export type ProblemField = 'code' | 'destination' | 'message' | 'part' | 'signal';

/** The fields of how a destination stands. */
export type ForwarderField =
  | 'evictedRecords'
  | 'lagRecords'
  | 'lagSeconds'
  | 'lastError'
  | 'name'
  | 'paused'
  | 'rejectedRequests'
  | 'state'
  | 'troubled';

/** The fields of an event. */
export type EventField = 'count' | 'destination' | 'message' | 'name' | 'severity' | 'signal' | 'time';

/** The version of the package, which that of its addon must be. */
export const VERSION = '0.1.0';

"""The words that are the same in every language.

Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.
"""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal[
    "INVALID_CONFIG",
    "BIND_FAILED",
    "INVALID_DATA",
    "TOO_LARGE",
    "BUFFER_FULL",
    "STORAGE_FULL",
    "STORAGE_FAILED",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "UNAVAILABLE",
    "TIMEOUT",
    "CLOSED",
    "INTERNAL",
]
"""What went wrong."""

EventName = Literal[
    "storage_full",
    "storage_failed",
    "storage_recovered",
    "file_recovered",
    "file_quarantined",
    "records_evicted",
    "forward_blocked",
    "forward_looped",
    "forward_downgraded",
    "forward_lagging",
    "forward_stalled",
    "forward_recovered",
    "breaker_opened",
    "breaker_half_open",
    "breaker_closed",
    "records_rejected",
    "records_dropped",
    "settings_ignored",
    "events_dropped",
]
"""What happened."""

Severity = Literal["info", "warn"]
"""How much an event asks of a person."""

MetricName = Literal[
    "otlp_arrow_received_records_total",
    "otlp_arrow_refused_records_total",
    "otlp_arrow_refused_requests_total",
    "otlp_arrow_opened_streams_total",
    "otlp_arrow_committed_records_total",
    "otlp_arrow_dropped_records_total",
    "otlp_arrow_filtered_records_total",
    "otlp_arrow_forwarded_records_total",
    "otlp_arrow_forward_failed_records_total",
    "otlp_arrow_rejected_records_total",
    "otlp_arrow_forward_changed_records_total",
    "otlp_arrow_forward_lag_records",
    "otlp_arrow_forward_lag_seconds",
    "otlp_arrow_breaker_state",
    "otlp_arrow_forward_seconds",
    "otel_sdk_exporter_span_exported_total",
    "otel_sdk_exporter_span_inflight",
    "otel_sdk_exporter_metric_data_point_exported_total",
    "otel_sdk_exporter_metric_data_point_inflight",
    "otel_sdk_exporter_log_exported_total",
    "otel_sdk_exporter_log_inflight",
    "otlp_arrow_events_total",
    "otlp_arrow_commit_seconds",
    "otlp_arrow_request_seconds",
    "otlp_arrow_buffer_bytes",
    "otlp_arrow_disk_bytes",
    "otlp_arrow_read_skipped_files_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
]
"""Everything that is counted."""

HealthStatus = Literal["ok", "degraded", "failing", "closed"]
"""How well it goes."""

BreakerState = Literal["closed", "half_open", "open"]
"""Where the circuit breaker of a destination stands."""

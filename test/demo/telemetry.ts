/** One service's OpenTelemetry: the official SDK, exporting by one of the three standard OTLP encodings. */
import type { Attributes, Meter, Tracer } from '@opentelemetry/api';
import type { Logger } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

/** How a service sends: each of them reaches the same recorder. */
export type Encoding = 'grpc' | 'http/protobuf' | 'http/json';

/** Where the recorder listens. */
export interface Endpoints {
  readonly grpc: string;
  readonly http: string;
}

/** What a service is instrumented with. */
export interface Telemetry {
  readonly tracer: Tracer;
  readonly meter: Meter;
  readonly logger: Logger;
  /** Sends what is left and ends the exporters. */
  shutdown(): Promise<void>;
}

/** Starts the three signals of one service. */
export function startTelemetry(name: string, encoding: Encoding, endpoints: Endpoints, extra: Attributes): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': name,
    'service.version': '1.4.2',
    'deployment.environment.name': 'demo',
    'host.name': 'localhost',
    ...extra,
  });
  const exporters = exportersOf(encoding, endpoints);
  const traces = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporters.traces)] });
  const metrics = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter: exporters.metrics, exportIntervalMillis: 1000 })],
  });
  const logs = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: exporters.logs })],
  });
  return {
    tracer: traces.getTracer('shop', '1.4.2'),
    meter: metrics.getMeter('shop', '1.4.2'),
    logger: logs.getLogger('shop', '1.4.2'),
    async shutdown() {
      await Promise.all([traces.shutdown(), metrics.shutdown(), logs.shutdown()]);
    },
  };
}

function exportersOf(encoding: Encoding, { grpc, http }: Endpoints) {
  switch (encoding) {
    case 'grpc':
      return {
        traces: new GrpcTraces({ url: grpc }),
        metrics: new GrpcMetrics({ url: grpc }),
        logs: new GrpcLogs({ url: grpc }),
      };
    case 'http/protobuf':
      return {
        traces: new ProtoTraces({ url: `${http}/v1/traces` }),
        metrics: new ProtoMetrics({ url: `${http}/v1/metrics` }),
        logs: new ProtoLogs({ url: `${http}/v1/logs` }),
      };
    case 'http/json':
      return {
        traces: new JsonTraces({ url: `${http}/v1/traces` }),
        metrics: new JsonMetrics({ url: `${http}/v1/metrics` }),
        logs: new JsonLogs({ url: `${http}/v1/logs` }),
      };
  }
}

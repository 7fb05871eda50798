/** The official OTLP exporters of JavaScript as clients of our listeners; contents compared field by field. */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type ReadableLogRecord,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { encode, type OtlpLibrary } from 'otlp-arrow';
import { expect, test } from 'vitest';
import { decodeOtlp } from './otlp-proto.js';
import { open } from './support.js';

const resource = resourceFromAttributes({ 'service.name': 'wire', 'host.cpus': 8 });

/** The same telemetry each time, made by the real SDK. */
async function telemetry() {
  const spans = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(spans)] });
  const tracer = tracers.getTracer('tracer', '1.0');
  for (let n = 0; n < 20; n++) {
    const span = tracer.startSpan(`GET /${n}`, {
      kind: SpanKind.CLIENT,
      attributes: { text: 'ünï', n, half: n + 0.5, yes: true, list: [1, 2], big: 2 ** 53 },
    });
    span.addEvent('retry', { attempt: n });
    if (n % 3 === 0) span.setStatus({ code: SpanStatusCode.ERROR, message: 'no answer' });
    span.end();
  }
  const records = new InMemoryLogRecordExporter();
  const loggers = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter: records })] });
  const logger = loggers.getLogger('logger');
  for (const body of ['plain', { nested: { list: [1, 'x', true] } }, 7, null]) {
    logger.emit({ severityNumber: SeverityNumber.INFO, body: body as never, attributes: { k: 'v' } });
  }
  const collected = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meters = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter: collected, exportIntervalMillis: 3_600_000 })],
  });
  const meter = meters.getMeter('meter');
  meter.createCounter('c', { unit: '1' }).add(5, { k: 'v' });
  meter.createHistogram('h').record(3.5);
  meter.createGauge('g').record(-1);
  await Promise.all([tracers.forceFlush(), loggers.forceFlush(), meters.forceFlush()]);
  return {
    spans: spans.getFinishedSpans(),
    records: records.getFinishedLogRecords(),
    metrics: collected.getMetrics()[0]!,
  };
}

const sent = (exporter: { export(batch: any, done: (result: any) => void): void }, batch: unknown) =>
  new Promise<void>((resolve, reject) => {
    exporter.export(batch, result => (result.code === 0 ? resolve() : reject(result.error)));
  });

async function same(
  library: OtlpLibrary,
  spans: ReadableSpan[],
  records: ReadableLogRecord[],
  metrics: ResourceMetrics,
): Promise<void> {
  const stored = async (signal: 'traces' | 'logs' | 'metrics') => encode(signal, await library.readIpc(signal));
  expect(decodeOtlp('Traces', await stored('traces'))).toEqual(
    decodeOtlp('Traces', ProtobufTraceSerializer.serializeRequest(spans)!),
  );
  expect(decodeOtlp('Logs', await stored('logs'))).toEqual(
    decodeOtlp('Logs', ProtobufLogsSerializer.serializeRequest(records)!),
  );
  expect(decodeOtlp('Metrics', await stored('metrics'))).toEqual(
    decodeOtlp('Metrics', ProtobufMetricsSerializer.serializeRequest(metrics)!),
  );
}

test.each([
  [
    'grpc',
    'none',
    (host: string) => {
      const options = { url: `http://${host}` };
      return [new GrpcTraces(options), new GrpcLogs(options), new GrpcMetrics(options)] as const;
    },
  ],
  [
    'grpc',
    'gzip',
    (host: string) => {
      const options = { url: `http://${host}`, compression: 'gzip' as never };
      return [new GrpcTraces(options), new GrpcLogs(options), new GrpcMetrics(options)] as const;
    },
  ],
  [
    'http/protobuf',
    'none',
    (host: string) =>
      [
        new ProtoTraces({ url: `http://${host}/v1/traces` }),
        new ProtoLogs({ url: `http://${host}/v1/logs` }),
        new ProtoMetrics({ url: `http://${host}/v1/metrics` }),
      ] as const,
  ],
  [
    'http/json',
    'gzip',
    (host: string) => {
      const compression = 'gzip' as never;
      return [
        new JsonTraces({ url: `http://${host}/v1/traces`, compression }),
        new JsonLogs({ url: `http://${host}/v1/logs`, compression }),
        new JsonMetrics({ url: `http://${host}/v1/metrics`, compression }),
      ] as const;
    },
  ],
] as const)('%s, compression %s', async (protocol, _, exporters) => {
  const library = await open({ listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0' } });
  const { grpc, http } = library.addresses();
  const [traces, logs, metrics] = exporters((protocol === 'grpc' ? grpc : http)!);
  const made = await telemetry();
  await Promise.all([sent(traces, made.spans), sent(logs, made.records), sent(metrics, made.metrics)]);
  await same(library, made.spans, made.records, made.metrics);
  await Promise.all([traces.shutdown(), logs.shutdown(), metrics.shutdown()]);
});

test('the same telemetry through our exporters is the same on disk', async () => {
  const library = await open();
  const made = await telemetry();
  await Promise.all([
    sent(library.spanExporter(), made.spans),
    sent(library.logExporter(), made.records),
    sent(library.metricExporter(), made.metrics),
  ]);
  await same(library, made.spans, made.records, made.metrics);
});

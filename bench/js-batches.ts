/** Batches freshly made by the official SDK, and the ways to export them, one case a signal. */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { MeterProvider, MetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { OtlpLibrary } from 'otlp-arrow';
import { encodeLogs, encodeMetrics, encodeTraces } from '#dist/encoder/index.js';
import type { Pieces } from '#dist/encoder/writer.js';

/** Records of a batch. */
export const BATCH = 512;

/** One signal. */
export interface Case<T = never> {
  readonly name: string;
  /** The next batch. */
  readonly next: () => Promise<unknown>;
  readonly stock: (batch: T) => unknown;
  readonly encode: (batch: T) => unknown;
  readonly send: (library: OtlpLibrary, batch: T) => Promise<unknown>;
}

const resource = resourceFromAttributes({ 'service.name': 'bench', 'service.version': '1.2.3' });
const sink = ({ steps, text }: Pieces): number => steps[0]! + text.length;
let serial = 0;

function attributesOf(n: number): { [key: string]: string | number } {
  return {
    'http.request.method': 'GET',
    'http.route': `/items/${n}/details`,
    'http.response.status_code': 200 + (n % 300),
    'url.full': `https://shop.example.com/items/${n}/details?session=${n * 7919}`,
    'url.scheme': 'https',
    'server.address': `host-${n % 1000}.example.com`,
    'server.port': 1024 + (n % 50_000),
    'user_agent.original': `Mozilla/5.0 (X11; Linux x86_64) Build/${n}`,
    'network.protocol.version': '1.1',
    'client.address': `10.${n & 255}.${(n >> 8) & 255}.7`,
  };
}

const ended: ReadableSpan[] = [];
const tracer = new BasicTracerProvider({
  resource,
  spanProcessors: [
    {
      onStart: () => undefined,
      onEnd: (span: ReadableSpan) => void ended.push(span),
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    },
  ],
}).getTracer('bench', '1.0.0');

const traces: Case<ReadableSpan[]> = {
  name: 'traces',
  next: async () => {
    for (let i = 0; i < BATCH; i++) {
      const n = serial++;
      const span = tracer.startSpan(`GET /items/${n % 97}`, { kind: SpanKind.SERVER, attributes: attributesOf(n) });
      span.setStatus({ code: SpanStatusCode.OK });
      span.end();
    }
    return ended.splice(0);
  },
  stock: spans => ProtobufTraceSerializer.serializeRequest(spans),
  encode: spans => encodeTraces(spans, undefined, sink),
  send: (library, spans) => library.exportTraces(spans),
};

const emitted: ReadableLogRecord[] = [];
const logger = new LoggerProvider({
  resource,
  processors: [
    {
      onEmit: (record: ReadableLogRecord) => void emitted.push(record),
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    },
  ],
}).getLogger('bench', '1.0.0');

const logs: Case<ReadableLogRecord[]> = {
  name: 'logs',
  next: async () => {
    for (let i = 0; i < BATCH; i++) {
      const n = serial++;
      logger.emit({
        severityNumber: SeverityNumber.INFO,
        severityText: 'INFO',
        body: `order ${n} of customer ${n * 31} was paid in ${n % 977} ms`,
        attributes: {
          'order.id': `ord-${n}-${n * 7919}`,
          'customer.id': n * 31,
          'http.route': `/orders/${n}/payment`,
          'payment.duration_ms': (n % 977) + 0.25,
          'thread.name': `worker-${n % 16}`,
        },
      });
    }
    return emitted.splice(0);
  },
  stock: records => ProtobufLogsSerializer.serializeRequest(records),
  encode: records => encodeLogs(records, undefined, sink),
  send: (library, records) => library.exportLogs(records),
};

class Collector extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const metrics: Case<ResourceMetrics> = {
  name: 'metrics',
  // A counter and a histogram of as many points each, as a program has after a while.
  next: async () => {
    const reader = new Collector();
    const meter = new MeterProvider({ resource, readers: [reader] }).getMeter('bench', '1.0.0');
    const counter = meter.createCounter('http.server.requests');
    const histogram = meter.createHistogram('http.server.request.duration', { unit: 'ms' });
    for (let i = 0; i < BATCH / 2; i++) {
      const n = serial++;
      const attributes = { 'http.route': `/items/${n}`, 'server.address': `host-${n}`, 'http.status': 200 + (n % 300) };
      counter.add(1 + (n % 9), attributes);
      histogram.record(n % 1000, attributes);
    }
    return (await reader.collect()).resourceMetrics;
  },
  stock: collected => ProtobufMetricsSerializer.serializeRequest(collected),
  encode: collected => encodeMetrics(collected, undefined, sink),
  send: (library, collected) => library.exportMetrics(collected),
};

/** Every signal. */
export const CASES: readonly Case[] = [traces, logs, metrics] as readonly Case<never>[] as readonly Case[];

/** Our exporters under the official processors and readers of the 2.x SDK. */
import { context, SpanKind, SpanStatusCode, TraceFlags, trace, ValueType } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchLogRecordProcessor,
  LoggerProvider,
  type LogRecordExporter,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  AggregationType,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { full, open, rows } from './support.js';

const resource = resourceFromAttributes({ 'service.name': 'shop', 'service.version': '1.2.3' });

describe('spans', () => {
  test.each([
    ['simple', (exporter: SpanExporter) => new SimpleSpanProcessor(exporter)],
    ['batch', (exporter: SpanExporter) => new BatchSpanProcessor(exporter, { scheduledDelayMillis: 10 })],
  ])('through the %s processor, every field', async (_, processor) => {
    const library = await open();
    const provider = new BasicTracerProvider({ resource, spanProcessors: [processor(library.spanExporter())] });
    const tracer = provider.getTracer('checkout', '2.0', { schemaUrl: 'https://example.com/schema' });
    const parent = tracer.startSpan('parent', { kind: SpanKind.SERVER });
    const linked = { traceId: 'b'.repeat(32), spanId: 'c'.repeat(16), traceFlags: TraceFlags.SAMPLED };
    const child = tracer.startSpan(
      'child',
      {
        attributes: { text: 'é', int: 7, double: 1.5, flag: true, list: ['a', 'b'] },
        links: [{ context: linked, attributes: { l: 1 } }],
      },
      trace.setSpan(context.active(), parent),
    );
    child.addEvent('cache.miss', { key: 'k' });
    child.recordException(new Error('boom'));
    child.setStatus({ code: SpanStatusCode.ERROR, message: 'failed' });
    child.end();
    parent.end();
    await provider.forceFlush();
    await provider.shutdown();

    const [first, second] = rows(await library.read('traces'));
    expect([first!.name, second!.name]).toEqual(['child', 'parent']);
    expect(first).toMatchObject({
      kind: 'internal',
      trace_id: parent.spanContext().traceId,
      span_id: child.spanContext().spanId,
      parent_span_id: parent.spanContext().spanId,
      status_code: 'error',
      status_message: 'failed',
      service_name: 'shop',
      scope_name: 'checkout',
      scope_version: '2.0',
      scope_schema_url: 'https://example.com/schema',
      attributes: { text: 'é', int: '7', double: '1.5', flag: 'true', list: '["a","b"]' },
      attribute_types: 'sidba',
      flags: 0x101,
    });
    expect(first!.events.map((event: any) => event.name)).toEqual(['cache.miss', 'exception']);
    expect(first!.links[0]).toMatchObject({ flags: 0x101 });
    expect(second).toMatchObject({ kind: 'server', parent_span_id: null, status_code: 'unset' });
  });

  test('an exporter that finds no room tries again and loses nothing under a batch processor', async () => {
    const { library, sender } = await full();
    const provider = new BasicTracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor(library.spanExporter())],
    });
    for (let n = 0; n < 1_500; n++) provider.getTracer('load').startSpan(`s${n}`).end();
    let flushed = false;
    const flushing = provider.forceFlush().then(() => {
      flushed = true;
    });
    const refused = () =>
      library
        .stats()
        .counters.filter(({ name, labels }) => name === 'otlp_arrow_request_seconds' && labels.code === 'BUFFER_FULL')
        .reduce((sum, { count }) => sum + count!, 0);
    await vi.waitUntil(() => refused() >= 5, 20_000);
    expect(flushed, 'there is no room yet').toBe(false);
    expect((await library.read('traces')).numRows).toBe(0);
    sender.destroy();
    await flushing;
    // The SDK's flush does not wait for the batch it sent by itself when its queue held that many; the library's does.
    await library.flush();
    const kept = rows(await library.read('traces', { columns: ['name'] })).map(row => row.name);
    expect(kept).toHaveLength(1_500);
    expect(new Set(kept)).toEqual(new Set(Array.from({ length: 1_500 }, (_, n) => `s${n}`)));
    await provider.shutdown();
  });
});

describe('logs', () => {
  test.each([
    ['simple', (exporter: LogRecordExporter) => new SimpleLogRecordProcessor({ exporter })],
    ['batch', (exporter: LogRecordExporter) => new BatchLogRecordProcessor({ exporter, maxExportBatchSize: 2 })],
  ])('through the %s processor, every field', async (_, processor) => {
    const library = await open();
    const provider = new LoggerProvider({ resource, processors: [processor(library.logExporter())] });
    const logger = provider.getLogger('app', '3');
    const spanContext = { traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), traceFlags: TraceFlags.SAMPLED };
    logger.emit({
      severityNumber: SeverityNumber.WARN,
      severityText: 'WARN',
      body: 'low stock',
      eventName: 'stock.low',
      attributes: { sku: 'A-1', left: 2, nested: { deep: [1, 'x'] } },
      timestamp: [1_700_000_000, 5],
      context: trace.setSpanContext(context.active(), spanContext),
    });
    logger.emit({ body: { kind: 'map', n: 1 } });
    logger.emit({ body: 'third' });
    // The batch processor awaits forceFlush() of the exporter between an export and its answer; the simple one awaits nothing.
    await provider.forceFlush();
    await vi.waitFor(async () => expect(rows(await library.read('logs'))).toHaveLength(3), { timeout: 10_000 });
    const [first, second, third] = rows(await library.read('logs'));
    expect(first).toMatchObject({
      time: 1_700_000_000_000_000_005n,
      severity_number: 13,
      severity_text: 'WARN',
      body: 'low stock',
      event_name: 'stock.low',
      trace_id: spanContext.traceId,
      span_id: spanContext.spanId,
      flags: 1,
      attributes: { sku: 'A-1', left: '2', nested: '{"deep":[1,"x"]}' },
      scope_name: 'app',
      service_name: 'shop',
    });
    expect(JSON.parse(second!.body)).toEqual({ kind: 'map', n: 1 });
    expect(third!.body).toBe('third');
    await provider.shutdown();
  });
});

describe('metrics', () => {
  test('through the periodic reader, every kind of instrument', async () => {
    const library = await open();
    const reader = new PeriodicExportingMetricReader({
      exporter: library.metricExporter(),
      exportIntervalMillis: 3_600_000,
    });
    const provider = new MeterProvider({
      resource,
      readers: [reader],
      views: [{ instrumentName: 'exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
    });
    const meter = provider.getMeter('meters');
    meter.createCounter('orders', { unit: '{order}', valueType: ValueType.INT }).add(3, { sku: 'A' });
    meter.createUpDownCounter('queue').add(-1.5);
    meter.createHistogram('latency', { unit: 'ms', advice: { explicitBucketBoundaries: [10, 100] } }).record(42);
    meter.createHistogram('exponential').record(8);
    meter.createGauge('temperature').record(21.5);
    meter.createObservableGauge('load').addCallback(result => result.observe(0.5));
    await provider.forceFlush();
    const all = new Map(rows(await library.read('metrics')).map(row => [row.metric_name, row]));
    expect(all.get('orders')).toMatchObject({
      metric_type: 'sum',
      temporality: 'cumulative',
      is_monotonic: true,
      value: 3,
      value_int: 3n,
      unit: '{order}',
      attributes: { sku: 'A' },
    });
    expect(all.get('queue')).toMatchObject({ metric_type: 'sum', is_monotonic: false, value: -1.5, value_int: null });
    expect(all.get('latency')).toMatchObject({ metric_type: 'histogram', count: 1n, sum: 42, min: 42, max: 42 });
    expect([...all.get('latency')!.bucket_counts].map(Number)).toEqual([0, 1, 0]);
    expect([...all.get('latency')!.explicit_bounds]).toEqual([10, 100]);
    expect(all.get('exponential')).toMatchObject({ metric_type: 'exponential_histogram', count: 1n, zero_count: 0n });
    expect(all.get('temperature')).toMatchObject({ metric_type: 'gauge', value: 21.5 });
    expect(all.get('load')).toMatchObject({ metric_type: 'gauge', value: 0.5 });
    await provider.shutdown();
  });

  describe('temporality', () => {
    const {
      COUNTER,
      GAUGE,
      HISTOGRAM,
      UP_DOWN_COUNTER,
      OBSERVABLE_COUNTER,
      OBSERVABLE_GAUGE,
      OBSERVABLE_UP_DOWN_COUNTER,
    } = InstrumentType;
    const all = [
      COUNTER,
      GAUGE,
      HISTOGRAM,
      UP_DOWN_COUNTER,
      OBSERVABLE_COUNTER,
      OBSERVABLE_GAUGE,
      OBSERVABLE_UP_DOWN_COUNTER,
    ];
    const delta = (exporter: PushMetricExporter) =>
      all.filter(type => exporter.selectAggregationTemporality?.(type) === AggregationTemporality.DELTA);
    afterEach(() => vi.unstubAllEnvs());

    test('by option, then by variable, then cumulative', async () => {
      const library = await open();
      expect(delta(library.metricExporter())).toEqual([]);
      expect(delta(library.metricExporter({ temporality: 'delta' }))).toEqual([
        COUNTER,
        GAUGE,
        HISTOGRAM,
        OBSERVABLE_COUNTER,
        OBSERVABLE_GAUGE,
      ]);
      expect(delta(library.metricExporter({ temporality: 'lowmemory' }))).toEqual([COUNTER, HISTOGRAM]);
      vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'LowMemory');
      expect(delta(library.metricExporter())).toEqual([COUNTER, HISTOGRAM]);
      expect(delta(library.metricExporter({ temporality: 'cumulative' }))).toEqual([]);
    });

    test('delta counts begin anew at each collection', async () => {
      const library = await open();
      const exporter = library.metricExporter({ temporality: 'delta' });
      const provider = new MeterProvider({
        readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
      });
      const counter = provider.getMeter('m').createCounter('c');
      for (const amount of [5, 2]) {
        counter.add(amount);
        await provider.forceFlush();
      }
      expect(rows(await library.read('metrics')).map(row => [row.temporality, row.value])).toEqual([
        ['delta', 5],
        ['delta', 2],
      ]);
      await provider.shutdown();
    });
  });
});

/** Our services inside an existing grpc-js server, with the official exporters as clients. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { OtlpLibrary } from 'otlp-arrow';
import { addOtlpServices } from 'otlp-arrow/grpc';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { encodeLogs, encodeMetrics, encodeTraces } from '#dist/encoder/index.js';
import { call, serve } from './grpc-client.js';
import { made } from './sinks.js';
import { full, open, rows, span } from './support.js';

test('an official exporter with gzip is a client like any other', async () => {
  const library = await open();
  const exporter = new OTLPTraceExporter({ url: `http://${await serve(library)}`, compression: 'gzip' as never });
  const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  for (let n = 0; n < 100; n++) provider.getTracer('t').startSpan(`s${n}`, { attributes: { n } }).end();
  await provider.forceFlush();
  expect(rows(await library.read('traces')).map(row => row.name)).toEqual(
    Array.from({ length: 100 }, (_, n) => `s${n}`),
  );
  await provider.shutdown();
});

describe('raw calls', () => {
  test('each signal has its service; a success is an empty message', async () => {
    const library = await open();
    const address = await serve(library);
    const resource = { attributes: {} };
    const instrumentationScope = { name: 's' };
    const record = {
      hrTime: [1, 2],
      hrTimeObserved: [1, 2],
      body: 'hello',
      resource,
      instrumentationScope,
      attributes: {},
      droppedAttributesCount: 0,
    } as const;
    const point = { startTime: [1, 0], endTime: [2, 0], attributes: {}, value: 4 } as const;
    const metric = {
      descriptor: { name: 'm', description: '', unit: '', valueType: 1 },
      aggregationTemporality: 1,
      dataPointType: 2,
      dataPoints: [point],
    };
    const collected = { resource, scopeMetrics: [{ scope: instrumentationScope, metrics: [metric] }] };
    expect(await call(address, 'trace.v1.TraceService', encodeTraces([span('a')], undefined, made))).toHaveLength(0);
    expect(await call(address, 'logs.v1.LogsService', encodeLogs([record], undefined, made))).toHaveLength(0);
    expect(await call(address, 'metrics.v1.MetricsService', encodeMetrics(collected, undefined, made))).toHaveLength(0);
    expect(rows(await library.read('traces'))[0]!.name).toBe('a');
    expect(rows(await library.read('logs'))[0]!.body).toBe('hello');
    expect(rows(await library.read('metrics'))[0]!.value).toBe(4);
  });

  test('a request of 10 MiB is taken: the limit is 64 MiB', async () => {
    const library = await open();
    const request = encodeTraces([span('big', { attributes: { text: 'x'.repeat(10 << 20) } })], undefined, made);
    expect(await call(await serve(library), 'trace.v1.TraceService', request)).toHaveLength(0);
    expect(library.stats().acceptedRecords.traces).toBe(1);
  });

  test('refused records are a partial success', async () => {
    const library = await open();
    const bad = span('bad', { spanContext: () => ({ traceId: 'ab', spanId: 'cd', traceFlags: 0 }) });
    const response = await call(
      await serve(library),
      'trace.v1.TraceService',
      encodeTraces([bad, span('good')], undefined, made),
    );
    // partial_success { rejected_spans: 1, error_message: … }
    expect([...response.subarray(2, 4)]).toEqual([0x08, 1]);
    expect(response.toString('latin1')).toContain('trace_id');
  });

  test('malformed bytes are INVALID_ARGUMENT', async () => {
    const address = await serve(await open());
    await expect(call(address, 'trace.v1.TraceService', Buffer.from([0xff]))).rejects.toMatchObject({ code: 3 });
  });

  test('a full buffer is UNAVAILABLE with RetryInfo, until there is room', async () => {
    const { library, sender } = await full();
    const address = await serve(library);
    const request = encodeTraces([span('a')], undefined, made);
    const send = () => call(address, 'trace.v1.TraceService', request);
    const refused = await send().catch((error: ServiceError) => error);
    expect(refused).toMatchObject({ code: 14 });
    const details = Buffer.concat((refused as ServiceError).metadata.get('grpc-status-details-bin') as Buffer[]);
    expect(details.toString('latin1')).toContain('type.googleapis.com/google.rpc.RetryInfo');
    sender.destroy();
    await vi.waitFor(send, { timeout: 10_000 });
    expect((await library.read('traces', { columns: ['name'] })).numRows).toBe(1);
  });

  test('after shutdown the answer is UNAVAILABLE', async () => {
    const library = await open();
    const address = await serve(library);
    await library.shutdown();
    await expect(
      call(address, 'trace.v1.TraceService', encodeTraces([span('a')], undefined, made)),
    ).rejects.toMatchObject({ code: 14 });
  });
});

test('what is no library of this package is refused when it is added', () => {
  for (const wrong of [null, {}, OtlpLibrary]) {
    expect(() => addOtlpServices(new Server(), wrong as never)).toThrow(/library = .*use an OtlpLibrary/);
  }
});

describe('recorders that forward in a ring', () => {
  const LOG = Buffer.from('0a0d120b12092a070a0568656c6c6f', 'hex');
  const quick = { initial: '50ms', max: '200ms' };
  const rows = async (library: OtlpLibrary) => (await library.read('logs')).numRows;
  const info = (library: OtlpLibrary) => library.forwarders()[0]!.info();
  const settled = (library: OtlpLibrary) =>
    vi.waitUntil(() => info(library).lagRecords === 0, { timeout: 20_000, interval: 50 });

  test('a server of ours that is its own destination is told so, and keeps each record once', async () => {
    const reserved = await open();
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    await reserved.shutdown();
    const library = await open({
      forward: { endpoint: `http://127.0.0.1:${port}`, protocol: 'otlp_grpc', retry: quick },
    });
    addOtlpServices(server, library);
    onTestFinished(() => server.forceShutdown());
    await library.exportOtlp('logs', LOG);
    await vi.waitUntil(() => /loop:/.test(info(library).lastError ?? ''), { timeout: 20_000, interval: 50 });
    expect(await rows(library)).toBe(1);
    expect(info(library).rejectedRequests).toBe(0);
  });

  test('through another recorder, and through a call of a program, everybody has everything once', async () => {
    const far = await open();
    const near = await open({
      forward: { endpoint: `http://${await serve(far)}`, protocol: 'otlp_grpc', retry: quick },
    });
    await near.exportOtlp('logs', LOG);
    await vi.waitUntil(async () => (await rows(far)) === 1, { timeout: 20_000, interval: 50 });
    await settled(near);

    // What a program with an endpoint of its own sees of it.
    const vias: string[] = [];
    const endpoint = createServer((request, response) => {
      const via = String(request.headers['otlp-arrow-via']);
      vias.push(via);
      const chunks: Buffer[] = [];
      request.on('data', chunk => chunks.push(chunk));
      request.on('end', () =>
        far.exportOtlp('logs', Buffer.concat(chunks), { via }).then(
          () => response.end(),
          () => response.writeHead(400).end(),
        ),
      );
    });
    await new Promise<void>(resolve => endpoint.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void endpoint.close());
    const http = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
    const other = await open({ forward: { endpoint: http, protocol: 'otlp_http', retry: quick } });
    await other.exportOtlp('logs', LOG, { via: '00000000000000aa' });
    await vi.waitUntil(async () => (await rows(far)) === 2, { timeout: 20_000, interval: 50 });
    expect(vias[0]).toMatch(/^00000000000000aa,[0-9a-f]{16}$/);
    const own = vias[0]!.split(',')[1]!;
    for (const via of [
      own,
      `${own},00000000000000aa`,
      Array.from({ length: 17 }, () => '00000000000000aa').join(','),
    ]) {
      await expect(other.exportOtlp('logs', LOG, { via })).rejects.toMatchObject({
        code: 'INVALID_DATA',
        message: expect.stringContaining('loop: '),
      });
    }
    // What is no such header does no harm.
    await other.exportOtlp('logs', LOG, { via: 'nonsense' });
    await expect(other.exportOtlp('logs', LOG, { via: 7 as never })).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await vi.waitUntil(async () => (await rows(far)) === 3, { timeout: 20_000, interval: 50 });
  });
});

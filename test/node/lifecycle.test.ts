/** The lifecycle table of the main job, in JavaScript. */
import { ClosedError, type ExportResult, InvalidConfigError, OtlpError, OtlpLibrary } from 'otlp-arrow';
import { describe, expect, test } from 'vitest';
import { encodeTraces } from '#dist/encoder/index.js';
import { made } from './sinks.js';
import { directory, files, full, open, readDirectory, rows, span } from './support.js';

const exported = (exporter: { export(batch: any, done: (result: ExportResult) => void): void }, batch: unknown) =>
  new Promise<ExportResult>(resolve => exporter.export(batch, resolve));

const names = async (library: OtlpLibrary) => rows(await library.read('traces')).map(row => row.name);

test('what was exported is read back', async () => {
  const library = await open();
  const outcome = await library.exportTraces([span('a'), span('b')]);
  expect(outcome).toEqual({ accepted: 2, rejected: 0, message: '' });
  const [a, b] = rows(await library.read('traces'));
  expect([a!.name, b!.name]).toEqual(['a', 'b']);
  expect(a!.attributes['http.route']).toBe('/a');
  expect(a!.service_name).toBe('shop');
  expect(a!.start_time).toBe(1_700_000_000_000_000_001n);
  expect(a!.kind).toBe('server');
});

test('an export after shutdown fails with CLOSED', async () => {
  const library = await open();
  await library.shutdown();
  await expect(library.exportTraces([span('a')])).rejects.toThrow(ClosedError);
  await expect(library.exportOtlp('logs', new Uint8Array())).rejects.toMatchObject({
    code: 'CLOSED',
    retryable: false,
  });
});

test('an exporter of a closed library fails with CLOSED at export, it does not throw', async () => {
  const library = await open();
  await library.shutdown();
  const metrics = library.metricExporter();
  for (const exporter of [library.spanExporter(), metrics, library.logExporter()]) {
    const result = await exported(exporter, exporter === metrics ? { scopeMetrics: [] } : []);
    expect(result.code).toBe(1);
    expect(result.error).toBeInstanceOf(OtlpError);
    expect(result.error).toMatchObject({ code: 'CLOSED' });
    await exporter.forceFlush();
    await exporter.shutdown();
  }
});

test('a flush that seals leaves sealed files, and all of what was exported before', async () => {
  const outputDir = directory();
  const library = await open({ outputDir });
  const extensions = () => files(outputDir, 'traces').map(name => name.replace(/.*\./, ''));
  await library.flush({ seal: true });
  expect(extensions()).toEqual([]);
  await library.exportTraces([span('a')]);
  await library.flush();
  expect(extensions()).toEqual(['arrows']);
  // Not waited for: what was called before is part of it.
  const exported = library.exportTraces([span('b')]);
  await library.flush({ seal: true });
  expect(extensions()).toEqual(['arrow']);
  await exported;
  expect(await names(library)).toEqual(['a', 'b']);
  await library.exportTraces([span('c')]);
  expect(extensions().sort()).toEqual(['arrow', 'arrows']);
  await library.shutdown();
  expect(extensions()).toEqual(['arrow', 'arrow']);
  for (const seal of ['yes', 1, {}] as unknown as boolean[]) {
    await expect(library.flush({ seal })).rejects.toThrow(InvalidConfigError);
  }
});

test('an empty batch is a success and leaves no file', async () => {
  const outputDir = directory();
  const library = await open({ outputDir });
  expect(await library.exportTraces([])).toEqual({ accepted: 0, rejected: 0, message: '' });
  expect(await library.exportLogs([])).toEqual({ accepted: 0, rejected: 0, message: '' });
  expect(await library.exportMetrics({ scopeMetrics: [] })).toEqual({ accepted: 0, rejected: 0, message: '' });
  expect(await exported(library.spanExporter(), [])).toEqual({ code: 0 });
  await library.shutdown();
  expect(files(outputDir, 'traces')).toEqual([]);
});

describe('a malformed record among good ones is refused alone', () => {
  const bad = {
    'with an id of the wrong length': span('bad', {
      spanContext: () => ({ traceId: 'abc', spanId: '12', traceFlags: 1 }),
    }),
    'with an id that is no hexadecimal': span('bad', {
      spanContext: () => ({ traceId: 'z'.repeat(32), spanId: '1'.repeat(16), traceFlags: 1 }),
    }),
    'that nests too deep': span('bad', {
      attributes: { deep: Array.from({ length: 70 }).reduce(inner => [inner], 1) },
    }),
    'that throws when it is read': span('bad', {
      spanContext: () => {
        throw new Error('unreadable');
      },
    }),
    'that is null': null as never,
    'that has nothing of a span': {} as never,
    'that is text': 'span' as never,
  };
  test.each(Object.entries(bad))('%s', async (_, record) => {
    const library = await open();
    const outcome = await library.exportTraces([span('a'), record, span('b')]);
    expect(outcome).toMatchObject({ accepted: 2, rejected: 1 });
    expect(outcome.message).not.toBe('');
    expect(await names(library)).toEqual(['a', 'b']);
    const { counters } = library.stats();
    const refused = counters.filter(({ name }) => name === 'otlp_arrow_refused_records_total');
    expect(refused).toMatchObject([{ value: 1, labels: { signal: 'traces', protocol: 'library' } }]);
  });

  test('the exporter reports success when some were refused, and failure when all were', async () => {
    const library = await open();
    const exporter = library.spanExporter();
    const refused = bad['with an id of the wrong length'];
    expect(await exported(exporter, [span('a'), refused])).toEqual({ code: 0 });
    const result = await exported(exporter, [refused]);
    expect(result).toMatchObject({ code: 1, error: { code: 'INVALID_DATA' } });
    expect(await names(library)).toEqual(['a']);
  });
});

describe('records of a resource or scope that cannot be read are kept with what can be', () => {
  const fail = (): never => {
    throw new Error('unreadable');
  };
  const cycle: { again?: unknown } = {};
  cycle.again = cycle;
  const owner = (extra: PropertyDescriptorMap = {}): any =>
    Object.defineProperties({ name: 'mine', attributes: { 'service.name': 'shop', after: 1 } }, extra);
  const broken: Record<string, any> = {
    'an attribute that throws': {
      attributes: {
        'service.name': 'shop',
        get bad() {
          return fail();
        },
        after: 1,
      },
    },
    'an attribute that nests without end': { attributes: { 'service.name': 'shop', cycle, after: 1 } },
    'attributes that throw': owner({ attributes: { get: fail } }),
    'attributes whose keys throw': { attributes: new Proxy({}, { ownKeys: fail }) },
    'a schema URL that throws': owner({ schemaUrl: { get: fail } }),
  };
  test.each(Object.entries(broken))('%s, of spans, log records and metrics', async (_, bad) => {
    const library = await open();
    const good = { resource: owner(), instrumentationScope: { name: 'good' } };
    const batch = [span('a', good), span('b', { resource: bad }), span('c', { instrumentationScope: bad })];
    const outcome = await library.exportTraces(batch);
    expect(outcome).toMatchObject({ accepted: 3, rejected: 0, message: expect.stringMatching(/unreadable|too deep/) });
    const byName = rows(await library.read('traces')).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(byName.map(row => row.name)).toEqual(['a', 'b', 'c']);
    expect(byName[0]!.service_name).toBe('shop');
    if ('service.name' in (Object.getOwnPropertyDescriptor(bad, 'attributes')?.value ?? {})) {
      expect(byName[1]!.service_name).toBe('shop');
      expect(JSON.parse(byName[1]!.resource_attributes)).toEqual({ 'service.name': 'shop', after: 1 });
    }
    const record = (extra: object): any => ({
      ...span('log', extra),
      hrTime: [1, 0],
      hrTimeObserved: [1, 0],
      body: 'text',
    });
    const logs = await library.exportLogs([
      record(good),
      record({ resource: bad }),
      record({ instrumentationScope: bad }),
    ]);
    expect(logs).toMatchObject({ accepted: 3, rejected: 0, message: expect.stringMatching(/unreadable|too deep/) });
    const point = { startTime: [1, 0], endTime: [2, 0], attributes: {}, value: 1 };
    const descriptor = { name: 'm', description: '', unit: '', valueType: 0 };
    const metric: any = { descriptor, aggregationTemporality: 1, dataPointType: 2, dataPoints: [point] };
    const metrics = await library.exportMetrics({
      resource: bad,
      scopeMetrics: [
        { scope: bad, metrics: [metric] },
        { scope: { name: 'good' }, metrics: [metric] },
      ],
    });
    expect(metrics).toMatchObject({ accepted: 2, rejected: 0, message: expect.stringMatching(/unreadable|too deep/) });
    // The exporter reports success: nothing is to be sent again.
    expect(await exported(library.spanExporter(), batch)).toEqual({ code: 0 });
  });

  test('a record whose resource or scope cannot be got at all is refused alone', async () => {
    const library = await open();
    for (const property of ['resource', 'instrumentationScope']) {
      const bad = Object.defineProperty(span('bad'), property, { get: fail });
      expect(await library.exportTraces([span('good'), bad])).toMatchObject({ accepted: 1, rejected: 1 });
    }
    const metrics: any = {
      get resource() {
        return fail();
      },
      scopeMetrics: [
        {
          get scope() {
            return fail();
          },
          metrics: [],
        },
      ],
    };
    expect(await library.exportMetrics(metrics)).toMatchObject({ accepted: 0, rejected: 1 });
    expect(await names(library)).toEqual(['good', 'good']);
  });
});

test('bytes that are no OTLP are refused whole, with the place', async () => {
  const library = await open();
  await expect(library.exportOtlp('traces', new Uint8Array([0xff, 0xff, 0xff]))).rejects.toMatchObject({
    code: 'INVALID_DATA',
    retryable: false,
    message: expect.stringContaining('byte'),
  });
  expect(await names(library)).toEqual([]);
});

test('an id that is none is refused alone, and texts of every kind are kept', async () => {
  const library = await open();
  const bad = span('bad', { spanContext: () => ({ traceId: 'z'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }) });
  expect(await library.exportTraces([span('before it'), bad, span('after it')])).toMatchObject({
    accepted: 2,
    rejected: 1,
    message: expect.stringContaining('trace_id'),
  });
  expect(await library.exportTraces([span('naïve 漢字'), span('ASCII only')])).toMatchObject({ accepted: 2 });
  for (let i = 0; i < 20; i++) await library.exportTraces([span(`span number ${i}`)]);
  const numbered = Array.from({ length: 20 }, (_, i) => `span number ${i}`);
  expect(await names(library)).toEqual(['before it', 'after it', 'naïve 漢字', 'ASCII only', ...numbered]);
});

test('the bytes may be changed as soon as the call returns', async () => {
  const library = await open();
  const request = encodeTraces([span('kept')], undefined, made);
  const done = library.exportOtlp('traces', request);
  request.fill(0);
  expect(await done).toMatchObject({ accepted: 1, rejected: 0 });
  expect(await names(library)).toEqual(['kept']);
});

test('shutdown twice is harmless and answers the same', async () => {
  const library = await open();
  await library.exportTraces([span('a')]);
  await Promise.all([library.shutdown(), library.shutdown()]);
  await library.shutdown();
});

test('shutdown during exports loses nothing that was called before it', async () => {
  const outputDir = directory();
  const library = await open({ outputDir });
  const exports = Array.from({ length: 50 }, (_, n) => library.exportTraces([span(`s${n}`)]));
  const closing = library.shutdown();
  const late = library.exportTraces([span('late')]);
  await expect(late).rejects.toThrow(ClosedError);
  const outcomes = await Promise.all(exports);
  await closing;
  expect(outcomes.every(outcome => outcome.accepted === 1)).toBe(true);
  const kept = (await readDirectory(outputDir, 'traces')).map(row => row.name);
  expect(new Set(kept)).toEqual(new Set(Array.from({ length: 50 }, (_, n) => `s${n}`)));
  expect(kept).toHaveLength(50);
});

test('the shutdown of an exporter leaves the library and its other exporters open', async () => {
  const library = await open();
  const first = library.spanExporter();
  await first.shutdown();
  await first.shutdown();
  expect(await exported(first, [span('a')])).toMatchObject({ code: 1, error: { code: 'CLOSED' } });
  expect(await exported(library.spanExporter(), [span('b')])).toEqual({ code: 0 });
  expect(await names(library)).toEqual(['b']);
});

test('a flush covers exports that were called and not awaited', async () => {
  const library = await open({ durability: 'buffered', writeInterval: '1h' });
  void library.exportTraces([span('a')]);
  await library.flush();
  expect(library.stats().committedRecords.traces).toBe(1);
  expect(await names(library)).toEqual(['a']);
});

test('a full buffer makes callers fail and exporters wait', async () => {
  const { library, sender } = await full();
  const waited = Array.from({ length: 5 }, (_, n) => `waited${n}`);
  const waiting = waited.map(name => exported(library.spanExporter(), [span(name)]));
  await expect(library.exportTraces([span('refused')])).rejects.toMatchObject({ code: 'BUFFER_FULL', retryable: true });
  expect(await names(library)).toEqual([]);
  sender.destroy();
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ code: 0 })));
  expect((await names(library)).toSorted()).toEqual(waited);
});

test('an exporter gives up at its timeout', async () => {
  const { library } = await full();
  const result = await exported(library.spanExporter({ timeoutMs: 300 }), [span('waits')]);
  expect(result).toMatchObject({ code: 1, error: { code: expect.stringMatching(/^(TIMEOUT|BUFFER_FULL)$/) } });
  expect(library.stats().events.records_dropped).toBe(1);
});

test('an exporter does not wait for room that an empty buffer does not have', async () => {
  const library = await open({ buffer: { maxBytes: '1MiB' } });
  const huge = span('huge', { attributes: { text: 'x'.repeat(900_000) } });
  const result = await exported(library.spanExporter(), [huge]);
  expect(result).toMatchObject({ code: 1, error: { code: 'TOO_LARGE', retryable: false } });
  expect(library.stats().events.records_dropped).toBe(1);
});

test('configuration errors name key, value, origin and remedy', async () => {
  await expect(OtlpLibrary.open({ outputDir: directory(), bufer: {} } as object)).rejects.toThrow(/bufer.*buffer/);
  const wrong = OtlpLibrary.open({ outputDir: directory(), rotation: { maxBytes: '5 parsecs' } });
  await expect(wrong).rejects.toThrow(InvalidConfigError);
  await expect(wrong).rejects.toThrow(/rotation\.max_bytes.*5 parsecs/);
  const number = OtlpLibrary.open({ outputDir: 5 } as object);
  await expect(number).rejects.toThrow(InvalidConfigError);
  await expect(number).rejects.toThrow('output_dir = 5 is a number: use a path, in quotes if it is meant: "5"');
});

test('many libraries live side by side, also in one directory', async () => {
  const outputDir = directory();
  const libraries = await Promise.all(Array.from({ length: 5 }, () => open({ outputDir })));
  await Promise.all(libraries.map((library, n) => library.exportTraces([span(`from ${n}`)])));
  const seen = await names(libraries[0]!);
  expect(seen.toSorted()).toEqual(Array.from({ length: 5 }, (_, n) => `from ${n}`));
});

test('spans of the 1.x line keep parent and scope, which have other names there', async () => {
  const library = await open();
  const { instrumentationScope, ...old } = span('old', { parentSpanId: '00f067aa0ba902b7' });
  await library.exportTraces([{ ...old, instrumentationLibrary: { name: 'library', version: '1.30' } } as never]);
  const [row] = rows(await library.read('traces'));
  expect(row).toMatchObject({ parent_span_id: '00f067aa0ba902b7', scope_name: 'library', scope_version: '1.30' });
  expect(instrumentationScope?.name).not.toBe('library');
});

test('records without a resource take the configured one', async () => {
  const library = await open({ resource: { 'service.name': 'configured', 'deployment.environment.name': 'test' } });
  await library.exportTraces([span('a', { resource: undefined })]);
  const [row] = rows(await library.read('traces'));
  expect(row!.service_name).toBe('configured');
  expect(JSON.parse(row!.resource_attributes)['deployment.environment.name']).toBe('test');
});

test('statistics and health say what is in hand', async () => {
  const library = await open();
  expect(library.health()).toMatchObject({ status: 'ok', accepting: true, problems: [] });
  await library.exportTraces([span('a'), span('b')]);
  await library.flush();
  const stats = library.stats();
  expect(stats.acceptedRecords).toEqual({ traces: 2, metrics: 0, logs: 0 });
  expect(stats.committedRecords.traces + stats.waitingRecords.traces + stats.droppedRecords.traces).toBe(2);
  expect(stats.counters.some(sample => sample.name === 'otlp_arrow_committed_records_total')).toBe(true);
  await library.shutdown();
  expect(library.health()).toMatchObject({ status: 'closed', accepting: false });
});

/** Questions of every kind, to a library and to a directory, and the ways in which one ends. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AttributeKey,
  type AttributeKeys,
  type AttributeValues,
  type Bucket,
  type Compare,
  type ComparedSide,
  type Counts,
  type Edge,
  type ErrorChange,
  type ErrorGroup,
  type Errors,
  type Exceptions,
  type Exemplar,
  type Facet,
  type Facets,
  type Filter,
  InvalidConfigError,
  type Line,
  type LogRecord,
  type Logs,
  type MapNode,
  type Metric,
  type Metrics,
  type Operation,
  type OperationChange,
  OtlpLibrary,
  type Overrepresented,
  type OverrepresentedValue,
  type Point,
  type RecordedException,
  type Search,
  type Searched,
  type Series,
  type SeriesWords,
  type Service,
  type ServiceMap,
  type Services,
  type Span,
  type SpanEvent,
  type SpanLink,
  type Spans,
  Telemetry,
  type Trace,
  type TraceSpan,
  type TraceSummary,
  type TrendBucket,
  type ValueCount,
} from 'otlp-arrow';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { native } from '#dist/native.js';
import questions from '../../docs/questions.json' with { type: 'json' };
import { recordInto } from './asking.js';
import { fixture, node } from './children.js';
import { root, snippets } from './markdown.js';
import { directory, open, rows } from './support.js';

// Records are made by three processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const START = 1_790_000_000_000_000_000n;
const ALL = 1_000;

interface Recorded {
  readonly dir: string;
  readonly library: OtlpLibrary;
  readonly telemetry: Telemetry;
}

/** Made by the first test that asks for it. */
let shared: Promise<Recorded> | undefined;

function recorded(): Promise<Recorded> {
  const record = async () => {
    const dir = mkdtempSync(join(tmpdir(), 'otlp-arrow-test-'));
    return recordedIn(dir, await OtlpLibrary.open({ outputDir: dir, storage: { minFreeBytes: '0B' } }));
  };
  shared ??= record();
  return shared;
}

afterAll(async () => {
  const made = await shared;
  await made?.library.shutdown();
  if (made) rmSync(made.dir, { recursive: true, force: true });
});

/** A directory with files of a writer that ended, of one that was killed, and of one that is still there. */
async function recordedIn(dir: string, library: OtlpLibrary): Promise<Recorded> {
  const ended = await node([fixture('asked'), 'record', dir, '0', '60']);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  const onOutput = (_: string, child: { kill(signal: 'SIGKILL'): unknown }) => void child.kill('SIGKILL');
  await node([fixture('asked'), 'record', dir, '60', '110', 'live'], { onOutput });
  await recordInto(library, 110, ALL);
  return { dir, library, telemetry: await Telemetry.open(dir) };
}

/** The fields of a type, each named once: the compiler sees to it that none is missing. */
type Fields<T> = { readonly [key in keyof T]-?: Kind | null };
type Kind = string;
const typed = <T>(fields: Fields<T>): Fields<T> => fields;

const searched = 'Searched';
/** Every type with its fields, and of which type what is in one is. */
const TYPES: Readonly<Record<string, Readonly<Record<string, string | null>>>> = {
  Searched: typed<Searched>({
    from: null,
    to: null,
    rows: null,
    files: null,
    complete: null,
    why: null,
    skipped: null,
    hints: null,
  }),
  Trace: typed<Trace>({
    traceId: null,
    startTime: null,
    duration: null,
    services: null,
    errors: null,
    duplicates: null,
    missingParents: null,
    spans: 'TraceSpan',
    logs: 'LogRecord',
    searched,
  }),
  Span: typed<Span>({
    traceId: null,
    spanId: null,
    parentSpanId: null,
    service: null,
    name: null,
    kind: null,
    startTime: null,
    endTime: null,
    duration: null,
    status: null,
    statusMessage: null,
    attributes: null,
    events: 'SpanEvent',
    links: 'SpanLink',
    resource: null,
    scope: null,
    traceState: null,
    flags: null,
  }),
  TraceSpan: typed<Omit<TraceSpan, keyof Span>>({
    parent: null,
    depth: null,
    children: null,
    orphan: null,
    cyclic: null,
    early: null,
  }),
  SpanEvent: typed<SpanEvent>({ time: null, name: null, attributes: null }),
  SpanLink: typed<SpanLink>({ traceId: null, spanId: null, attributes: null }),
  LogRecord: typed<LogRecord>({
    time: null,
    observedTime: null,
    service: null,
    severityNumber: null,
    severityText: null,
    body: null,
    bodyType: null,
    eventName: null,
    traceId: null,
    spanId: null,
    attributes: null,
    resource: null,
    scope: null,
    flags: null,
  }),
  Search: typed<Search>({ traces: 'TraceSummary', cursor: null, searched }),
  TraceSummary: typed<TraceSummary>({
    traceId: null,
    rootService: null,
    rootName: null,
    startTime: null,
    duration: null,
    spans: null,
    errors: null,
    matched: null,
    services: null,
  }),
  Spans: typed<Spans>({ spans: 'Span', cursor: null, searched }),
  Logs: typed<Logs>({ logs: 'LogRecord', cursor: null, searched }),
  Counts: typed<Counts>({ step: null, total: null, buckets: 'Bucket', searched }),
  Bucket: typed<Bucket>({ time: null, group: null, other: null, count: null }),
  Services: typed<Services>({ services: 'Service', searched }),
  Service: typed<Service>({
    name: null,
    spans: null,
    requests: null,
    weightedRequests: null,
    rate: null,
    errors: null,
    errorShare: null,
    p50: null,
    p95: null,
    p99: null,
    exact: null,
    firstSeen: null,
    lastSeen: null,
  }),
  AttributeKeys: typed<AttributeKeys>({ total: null, attributes: 'AttributeKey', searched }),
  AttributeKey: typed<AttributeKey>({ key: null, of: null, count: null }),
  AttributeValues: typed<AttributeValues>({ key: null, distinct: null, values: 'ValueCount', searched }),
  ValueCount: typed<ValueCount<string>>({ value: null, count: null }),
  Facets: typed<Facets>({ total: null, facets: 'Facet', searched }),
  Facet: typed<Facet>({ by: null, distinct: null, values: 'ValueCount' }),
  Metrics: typed<Metrics>({ metrics: 'Metric', searched }),
  Metric: typed<Metric>({
    name: null,
    type: null,
    unit: null,
    temporality: null,
    monotonic: null,
    description: null,
    services: null,
    series: null,
    points: null,
    lastValue: null,
    firstSeen: null,
    lastSeen: null,
  }),
  Series: typed<Series>({ metric: null, step: null, lines: 'Line', leftOut: null, warnings: null, searched }),
  Line: typed<Line>({
    labels: null,
    unit: null,
    type: null,
    show: null,
    quantile: null,
    above: null,
    upTo: null,
    series: null,
    points: 'Point',
    exemplars: 'Exemplar',
  }),
  Point: typed<Point>({ time: null, value: null }),
  Exemplar: typed<Exemplar>({ time: null, value: null, traceId: null, spanId: null, attributes: null, kept: null }),
  Errors: typed<Errors>({ total: null, step: null, errors: 'ErrorGroup', searched }),
  ErrorGroup: typed<ErrorGroup>({
    group: null,
    type: null,
    message: null,
    frame: null,
    count: null,
    services: null,
    firstSeen: null,
    lastSeen: null,
    trend: 'TrendBucket',
    example: 'RecordedException',
  }),
  TrendBucket: typed<TrendBucket>({ time: null, count: null }),
  Exceptions: typed<Exceptions>({ exceptions: 'RecordedException', searched }),
  RecordedException: typed<RecordedException>({
    time: null,
    service: null,
    type: null,
    message: null,
    stacktrace: null,
    escaped: null,
    traceId: null,
    spanId: null,
    spanName: null,
    signal: null,
  }),
  ServiceMap: typed<ServiceMap>({ nodes: 'MapNode', edges: 'Edge', searched }),
  MapNode: typed<MapNode>({ name: null, kind: null, spans: null, errors: null }),
  Edge: typed<Edge>({
    from: null,
    to: null,
    toKind: null,
    kind: null,
    requests: null,
    weightedRequests: null,
    rate: null,
    errors: null,
    errorShare: null,
    p50: null,
    p95: null,
    p99: null,
  }),
  Compare: typed<Compare>({
    a: 'ComparedSide',
    b: 'ComparedSide',
    operations: 'OperationChange',
    errors: 'ErrorChange',
    searched,
  }),
  ComparedSide: typed<ComparedSide>({
    is: null,
    spans: null,
    requests: null,
    errors: null,
    from: null,
    to: null,
    services: null,
  }),
  OperationChange: typed<OperationChange>({
    service: null,
    name: null,
    kind: null,
    change: null,
    impact: null,
    a: 'Operation',
    b: 'Operation',
  }),
  Operation: typed<Operation>({
    count: null,
    errors: null,
    errorShare: null,
    total: null,
    p50: null,
    p95: null,
    p99: null,
  }),
  ErrorChange: typed<ErrorChange>({ group: null, type: null, message: null, frame: null, a: null, b: null }),
  Overrepresented: typed<Overrepresented>({ selected: null, others: null, values: 'OverrepresentedValue', searched }),
  OverrepresentedValue: typed<OverrepresentedValue>({
    by: null,
    value: null,
    count: null,
    share: null,
    others: null,
    othersShare: null,
    score: null,
  }),
};

/** Names the fields of `value`, which is of `type` or a list of it, that no type has; notes those that were seen. */
function unknownFields(type: string, value: unknown, seen: Set<string>): string[] {
  if (Array.isArray(value)) return value.flatMap(one => unknownFields(type, one, seen));
  if (typeof value !== 'object' || value === null) return [];
  const own = TYPES[type]!;
  const base: Readonly<Record<string, string | null>> = type === 'TraceSpan' ? TYPES.Span! : {};
  return Object.entries(value).flatMap(([name, inner]) => {
    if (name in own) seen.add(`${type}.${name}`);
    else if (!(name in base)) return [`${type}.${name}`];
    const of = own[name] ?? base[name];
    return of ? unknownFields(of, inner, seen) : [];
  });
}

type Question = readonly [
  name: string,
  type: string,
  ask: (telemetry: Telemetry | OtlpLibrary) => PromiseLike<unknown>,
];

const QUESTIONS: readonly Question[] = [
  ['trace', 'Trace', at => at.trace(TRACE.slice(0, 8))],
  ['trace', 'Trace', at => at.trace(TRACE, { logs: false })],
  ['search', 'Search', at => at.search({ service: 'checkout', minDuration: '500ms', limit: 3 })],
  ['search', 'Search', at => at.search({ service: 'chekout' })],
  ['searchSpans', 'Spans', at => at.searchSpans({ trace: TRACE, order: 'oldest', limit: 4 })],
  ['searchLogs', 'Logs', at => at.searchLogs({ severity: '>=warn', limit: 4 })],
  ['searchLogs', 'Logs', at => at.searchLogs({ trace: TRACE })],
  ['counts', 'Counts', at => at.counts({ by: 'name', limit: 1, step: '30s' })],
  ['services', 'Services', at => at.services()],
  ['attributes', 'AttributeKeys', at => at.attributes({ signal: 'logs' })],
  ['attributeValues', 'AttributeValues', at => at.attributeValues('http.route', { prefix: '/' })],
  ['facets', 'Facets', at => at.facets({ by: ['service', 'attr:customer.tier'] })],
  ['metrics', 'Metrics', at => at.metrics()],
  ['series', 'Series', at => at.series({ metric: 'requests', step: '20s', exemplars: 2 })],
  ['series', 'Series', at => at.series({ metric: 'latency', quantile: [0.5, 0.9], top: 1 })],
  ['series', 'Series', at => at.series({ metric: 'latency', show: 'buckets', by: ['service'] })],
  ['series', 'Series', at => at.series({ metric: 'memory', by: ['service'], show: 'value', agg: 'avg', top: 1 })],
  ['errors', 'Errors', at => at.errors({ service: 'checkout' })],
  ['exceptions', 'Exceptions', at => at.exceptions({ limit: 5 })],
  ['serviceMap', 'ServiceMap', at => at.serviceMap({ from: START - 10n ** 10n })],
  ['compare', 'Compare', at => at.compare('resource=service.version=1', 'resource=service.version=2')],
  ['compare', 'Compare', at => at.compare(TRACE, `trace=${'0'.repeat(32)}`)],
  ['overrepresented', 'Overrepresented', at => at.overrepresented({ status: 'error' })],
];

describe('every question', () => {
  test('has a method, on libraries and directories, and no other has', () => {
    const wanted = questions.questions.map(question => question.typescript).toSorted();
    const base = Object.getPrototypeOf(Telemetry.prototype);
    const own = Object.getOwnPropertyNames(base).filter(name => name !== 'constructor');
    expect(own.toSorted()).toEqual(wanted);
    expect([...new Set(QUESTIONS.map(([name]) => name))].toSorted()).toEqual(wanted);
    for (const { typescript, answer } of questions.questions) {
      expect(QUESTIONS.find(([name]) => name === typescript)![1]).toBe(answer);
    }
  });

  test('is answered the same by the library, by a directory and after everything is sealed, in the fields of its type', async () => {
    const dir = directory();
    const library = await open({ outputDir: dir });
    const { telemetry } = await recordedIn(dir, library);
    const seen = new Set<string>();
    const answers: unknown[] = [];
    for (const [name, type, ask] of QUESTIONS) {
      const answer = await ask(telemetry);
      expect(unknownFields(type, answer, seen), name).toEqual([]);
      expect(withoutRows(await ask(library)), name).toEqual(withoutRows(answer));
      answers.push(withoutRows(answer));
    }
    const all = Object.entries(TYPES).flatMap(([type, fields]) => Object.keys(fields).map(name => `${type}.${name}`));
    // Files are whole here; lines are left out where there are more of them.
    expect(all.filter(field => !seen.has(field))).toEqual(['Searched.skipped', 'Series.leftOut']);
    await library.flush({ seal: true });
    await library.shutdown();
    for (const [at, [name, , ask]] of QUESTIONS.entries()) {
      expect(withoutRows(await ask(telemetry)), name).toEqual(answers[at]);
      expect(withoutRows(await ask(await Telemetry.open(dir))), name).toEqual(answers[at]);
      // A library that is shut down answers from its files, as it reads.
      expect(withoutRows(await ask(library)), name).toEqual(answers[at]);
    }
  });
});

/** How much is looked at for a list that ends early is a matter of threads. */
function withoutRows(answer: unknown): unknown {
  const { searched, ...rest } = answer as { searched: Searched };
  return { ...rest, searched: { ...searched, files: 0, rows: 0 } };
}

describe('values', () => {
  test('are exact: integers of 64 bits, odd keys, texts that look like marks', async () => {
    const at = await recorded();
    const trace = await at.telemetry.trace(TRACE);
    expect(trace).toMatchObject({ traceId: TRACE, startTime: START, duration: 300_000_001n, duplicates: 1, errors: 1 });
    expect(trace.services).toEqual({ checkout: 5, frontend: 2 });
    expect(trace.missingParents).toEqual([(77).toString(16).padStart(16, '0')]);
    const span = trace.spans.find(({ name }) => name === 'POST /checkout')!;
    expect(span.startTime + span.duration).toBe(span.endTime);
    expect(Object.fromEntries(Object.entries(span.attributes))).toEqual({
      'http.route': '/cart',
      big: 2n ** 53n + 1n,
      small: -(2n ** 53n) - 1n,
      retries: 3,
      ratio: 0.25,
      none: 'NaN',
      ok: true,
      bytes: 'AP8=',
      list: [9007199254740993n, '\u0001x', '9007199254740993', 1e300],
      map: { camelCase_key: 1, deep: 2n ** 63n - 1n },
      empty: null,
      '\u0001marked': '\u0001\u00012',
      one: '\u00015',
      ['__proto__']: 'kept',
      snake_case: 'kept too',
      emoji: '🛒 <b>',
    });
    expect(span.events!.map(({ time, name }) => [time, name])).toEqual([
      [START + 150_000_000n, 'exception'],
      [START + 151_000_003n, 'retry'],
    ]);
    expect(trace.logs[1]!.body).toContain(`${2n ** 60n}`);
    expect(trace.spans.find(({ name }) => name === 'SELECT orders')!.early).toBe(1_000_000n);
  });

  test('of one answer are those of its table', async () => {
    const { telemetry } = await recorded();
    const asked = telemetry.services();
    const [{ services }, table] = [await asked, rows(await asked.table())];
    expect(table.map(row => [row.name, Number(row.requests), row.p95, row.last_seen])).toEqual(
      services.map(({ name, requests, p95, lastSeen }) => [name, requests, p95, lastSeen]),
    );
    const spans = telemetry.searchSpans({ trace: TRACE });
    let count = 0;
    for await (const batch of spans.table()) count += batch.numRows;
    expect(count).toBe((await spans).spans.length);
    const bytes: Uint8Array[] = [];
    for await (const piece of telemetry.metrics().ipc()) bytes.push(piece);
    expect(Buffer.concat(bytes)).toEqual(Buffer.from(await telemetry.metrics().ipc()));
    expect((await telemetry.read('logs')).numRows).toBe(24);
    const [pages, wanted] = [new Set<string>(), (await telemetry.searchSpans({ limit: 1_000 })).spans.length];
    for (let filter: Filter = { limit: 50 }; ; ) {
      const { spans, cursor } = await telemetry.searchSpans(filter);
      for (const { traceId, spanId, startTime } of spans) pages.add(`${traceId}${spanId}${startTime}`);
      if (cursor === undefined) break;
      filter = { ...filter, cursor };
    }
    // One of them came twice.
    expect(pages.size).toBe(wanted - 1);
  });

  test('of words are what TypeScript has for them', async () => {
    const { telemetry } = await recorded();
    const of = async (filter: Filter) => (await telemetry.searchSpans({ ...filter, limit: 1_000 })).spans.length;
    const [, slow] = (await telemetry.services({ service: 'checkout' })).services.map(({ p95 }) => p95).concat([null]);
    expect(slow).toBeNull();
    const { p95 } = (await telemetry.services()).services.find(({ name }) => name === 'checkout')!;
    expect(await of({ service: 'checkout', minDuration: p95! })).toBe(
      await of({ service: 'checkout', minDuration: `${p95}ns` }),
    );
    const ways = [START + 30_000_000_000n, new Date(Number(START / 1_000_000n) + 30_000), '2026-09-21T14:13:50Z'];
    expect(new Set(await Promise.all(ways.map(from => of({ from })))).size).toBe(1);
    expect(await of({ from: new Date(-1) })).toBe(await of({ from: 0n }));
    expect(await of({ status: ['ok', 'error'] })).toBe((await of({ status: 'ok' })) + (await of({ status: 'error' })));
    expect(await of({ attr: ['customer.tier=gold', 'http.route'] })).toBe(24);
    expect((await telemetry.searchLogs({ severity: 17 })).logs.length).toBe(6);
    expect((await telemetry.searchLogs({ text: 'REQUEST', ignoreCase: true })).logs.length).toBe(20);
    const undefinedIsLeftOut = { service: undefined } as unknown as Filter;
    expect(await of(undefinedIsLeftOut)).toBe(await of({}));
  });
});

test('wrong words are errors that name the right ones', async () => {
  const telemetry = await Telemetry.open(directory());
  const wrong: [PromiseLike<unknown> | (() => Promise<unknown>), RegExp][] = [
    [telemetry.search({ servce: 'checkout' } as Filter), /servce = "checkout" .*did you mean service\?/],
    [telemetry.searchSpans({ minDuraton: '1s' } as Filter), /did you mean min_duration\?/],
    [telemetry.search({ minDuration: '1 parsec' }), /min_duration = "1 parsec" is not a duration/],
    [telemetry.search({ kind: 'sever' }), /kind = "sever" is not one of/],
    [telemetry.search({ limit: Number.NaN }), /limit = NaN: use a text/],
    [telemetry.search({ limit: -1 }), /limit = "-1" is not a number of rows/],
    [telemetry.search({ from: new Date(Number.NaN) }), /from = Invalid Date/],
    [telemetry.search({ service: null } as unknown as Filter), /service = null/],
    [telemetry.search({ service: { is: 'x' } } as unknown as Filter), /service = \{ is: 'x' \}/],
    [telemetry.search('checkout' as unknown as Filter), /'checkout' is not the words of a question/],
    [telemetry.search(['checkout'] as unknown as Filter), /is not the words of a question/],
    [telemetry.search({ from: '-1h', to: '-2h' }), /is not before to/],
    [telemetry.trace('no hex'), /trace = "no hex"/],
    [telemetry.trace(undefined as unknown as string), /trace = "" is missing/],
    [telemetry.series({ metric: 'requests', show: 'rte' as 'rate' }), /show = "rte"/],
    [telemetry.series({} as SeriesWords), /metric = "" is missing/],
    [telemetry.attributeValues(''), /key = ""/],
    [telemetry.compare('', '-1h..'), /a = "" is missing/],
    [telemetry.searchLogs({ minDuration: '1s' }), /it is of spans/],
    [telemetry.services({}, { timeoutMs: -1 }), /timeoutMs = -1/],
    [telemetry.services({}, { signal: 'no' as unknown as AbortSignal }), /signal = 'no'/],
    [telemetry.search({ servce: 'checkout' } as Filter).table(), /did you mean service\?/],
    [() => Telemetry.open(directory(), { maxRow: 5 } as object), /max_rows/],
    [() => Telemetry.open(directory(), { timeout: 'soon' }), /query\.timeout = "soon"/],
    [() => Telemetry.open(7 as unknown as string), /outputDir = 7/],
  ];
  for (const [question, text] of wrong) {
    const error = await (typeof question === 'function' ? question() : question).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error, String(text)).toBeInstanceOf(InvalidConfigError);
    expect((error as Error).message).toMatch(text);
  }
  await expect(telemetry.search({ kind: 'no' }).catch(() => 'caught')).resolves.toBe('caught');
  let last = false;
  await telemetry.services().finally(() => {
    last = true;
  });
  expect(last).toBe(true);
});

test('where nothing is found the nearest name is told', async () => {
  const { telemetry } = await recorded();
  for (const [asked, hint] of [
    [telemetry.search({ service: 'chekout' }), 'checkout'],
    [telemetry.searchSpans({ name: 'GET /crt' }), 'GET /cart'],
    [telemetry.searchSpans({ attr: 'customer.teir=gold' }), 'customer.tier'],
    [telemetry.series({ metric: 'reqests' }), 'requests'],
  ] as const) {
    const { searched } = await asked;
    expect(searched.hints?.join(), hint).toContain(hint);
  }
});

test('a file that is damaged is told of, and costs nothing but its rows', async () => {
  const dir = directory();
  for (const [from, to] of [
    [0, 4],
    [4, 8],
  ] as const) {
    const library = await OtlpLibrary.open({ outputDir: dir, storage: { minFreeBytes: '0B' } });
    await recordInto(library, from, to);
    await library.shutdown();
  }
  const telemetry = await Telemetry.open(dir);
  const [whole, folder] = [await telemetry.searchSpans({ limit: 100 }), join(dir, 'otlp/traces')];
  const [first, ...others] = readdirSync(folder).toSorted();
  expect(others).toHaveLength(1);
  writeFileSync(join(folder, first!), Buffer.alloc(100, 'no Arrow'));
  for (const asked of [telemetry, await Telemetry.open(dir)]) {
    const { spans, searched } = await asked.searchSpans({ limit: 100 });
    expect(searched).toMatchObject({ complete: false, skipped: [{ file: first, why: expect.stringMatching(/./) }] });
    expect(spans).toEqual(whole.spans.filter(span => spans.some(({ spanId }) => spanId === span.spanId)));
    expect(spans).toHaveLength(4);
  }
});

describe('a question ends', () => {
  test('with the reason of its signal, before it is asked and while it is answered', async () => {
    const { telemetry } = await recorded();
    const reason = new Error('enough');
    await expect(telemetry.services({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const asked = telemetry.services({}, { signal: controller.signal }).then();
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
    const table = telemetry.services({}, { signal: controller.signal }).table();
    await expect(table.then()).rejects.toBe(reason);
    await expect(telemetry.services({}, { signal: new AbortController().signal })).resolves.toBeTruthy();
  });

  test('in the addon when it is cancelled, and says so', async () => {
    const { dir } = await recorded();
    const opened = await native.openTelemetry(JSON.stringify({ output_dir: dir }));
    if ('isBindingError' in opened) throw new Error(opened.message);
    const question = opened.ask('services', [], undefined);
    question.cancel();
    const answer = await question.answer();
    if ('isBindingError' in answer) throw new Error(answer.message);
    expect(JSON.parse(String(await answer.values())).searched).toMatchObject({ complete: false, why: 'cancelled' });
  });

  test('when its time is over, or its rows are enough, and says so', async () => {
    const { telemetry, dir } = await recorded();
    const { searched } = await telemetry.services({}, { timeoutMs: 0 });
    expect(searched).toMatchObject({ complete: false, why: 'timeout' });
    const few = await Telemetry.open(dir, { maxRows: 5 });
    const { spans, searched: some } = await few.searchSpans({ limit: 50 });
    expect([spans.length, some.why, some.complete]).toEqual([5, 'max_rows', false]);
  });

  test('with CLOSED where its directory is closed', async () => {
    const { dir } = await recorded();
    const telemetry = await Telemetry.open(dir);
    const asked = telemetry.services();
    telemetry.close();
    telemetry.close();
    for (const one of [asked, telemetry.trace(TRACE), telemetry.read('traces')]) {
      await expect(Promise.resolve(one)).rejects.toMatchObject({ code: 'CLOSED' });
    }
  });
});

test('many questions at once are all answered, and nothing waits behind them', async () => {
  const { library, telemetry } = await recorded();
  const all = Array.from({ length: 200 }, (_, n) =>
    (n % 2 ? library : telemetry).trace(TRACE).then(({ spans }) => spans.length),
  );
  await library.flush();
  expect(library.health().status).toBe('ok');
  expect(new Set(await Promise.all(all))).toEqual(new Set([7]));
});

test('what was acknowledged is in the next answer, whatever it was kept with', async () => {
  for (const config of [{}, { durability: 'buffered', writeInterval: '1h' }] as const) {
    const library = await open(config);
    for (let n = 1; n <= 5; n++) {
      await recordInto(library, n, n + 1);
      const { spans } = await library.searchSpans({ limit: 100 });
      const { numRows } = await library.read('traces');
      expect(numRows).toBe(spans.length);
      expect(spans.length).toBeGreaterThan(n);
    }
  }
});

test('a directory that is not there yet answers nothing, and later what is there', async () => {
  const dir = join(directory(), 'not', 'yet');
  const telemetry = await Telemetry.open(dir);
  expect(await telemetry.services()).toMatchObject({ services: [], searched: { rows: 0, files: 0, complete: true } });
  const library = await open({ outputDir: dir });
  await recordInto(library, 0, 2);
  expect((await telemetry.services()).services.map(({ name }) => name)).toEqual(['checkout', 'frontend']);
});

describe('docs/query.md', () => {
  const all = snippets('docs/query.md');
  const named = [...all.keys()].filter(name => name.startsWith('node/'));

  test('has two snippets for TypeScript, which work as written', async () => {
    expect(named).toEqual(['node/questions', 'node/answers']);
    const cwd = directory();
    const library = await open({ outputDir: join(cwd, 'telemetry') });
    await recordInto(library, 0, ALL);
    const counts = `console.log(JSON.stringify([trace.spans.length, traces.length, cursor === undefined, spans.length, logs.length,
      buckets.length, services.length, attributes.length, routes.length, facets.length, metrics.length, lines.length, errors.length,
      exceptions.length, nodes.length, edges.length, operations.length, values.find(({ by }) => by === 'attr:customer.tier').value, some.length]));`;
    const file = program('questions', [...named.map(name => all.get(name)!), counts].join('\n'));
    const ended = await node([file], { cwd });
    expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: '' });
    const said = ended.stdout.trimEnd().split('\n');
    const found = '[7,10,false,20,1,4,2,23,2,2,5,1,1,2,3,2,2,"gold",22]';
    expect(said.at(-1)).toBe(found);
    expect(said.slice(0, -1).reduce((sum, rows) => sum + Number(rows), 0)).toBe(22);
  });
});

/** Writes a program below the repository, where the name of the package leads to itself. */
function program(name: string, code: string): string {
  const folder = join(root, 'test/dist/snippets');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `ask-${name}-${process.pid}.mjs`);
  writeFileSync(file, code);
  return file;
}

describe('a program', () => {
  const run = async (code: string) => {
    const { dir } = await recorded();
    const open = "import { Telemetry } from 'otlp-arrow';\nconst telemetry = await Telemetry.open(process.argv[2]);\n";
    return node([program('program', open + code), dir]);
  };

  test.each([
    ['ends with an open directory', 'console.log((await telemetry.services()).services.length);', 0, '2\n'],
    ['ends while a question is answered', 'telemetry.services().then(); setImmediate(() => process.exit(7));', 7, ''],
    [
      'goes on until its question is answered',
      'telemetry.services().then(() => console.log("answered"));',
      0,
      'answered\n',
    ],
    ['does not end by what nobody awaits', 'telemetry.trace("no hex"); console.log("on");', 0, 'on\n'],
    [
      'may ask in a thread that is ended',
      `import { Worker } from 'node:worker_threads';
const code = "import('otlp-arrow').then(async ({ Telemetry }) => { const t = await Telemetry.open(process.argv[2]); require('node:worker_threads').parentPort.postMessage((await t.services()).services.length); t.services().then(); t.services().then(); process.exit(); })";
const worker = new Worker(code, { eval: true, argv: [process.argv[2]] });
worker.on('message', n => console.log(n));
worker.on('exit', () => console.log('over'));`,
      0,
      '2\nover\n',
    ],
  ])('%s', async (_, code, exit, stdout) => {
    expect(await run(code)).toMatchObject({ code: exit, stdout });
  });
});

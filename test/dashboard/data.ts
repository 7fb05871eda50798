/** Telemetry that the demo does not have, as OTLP/JSON. */

const SECOND = 1_000_000_000n;
/** A few seconds ago, so that every range has it. */
const base = () => BigInt(Date.now()) * 1_000_000n - 20n * SECOND;

type Value = string | number | boolean;

const attributes = (values: { readonly [key: string]: Value }) =>
  Object.entries(values).map(([key, value]) => ({
    key,
    value:
      typeof value === 'string'
        ? { stringValue: value }
        : typeof value === 'boolean'
          ? { boolValue: value }
          : Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value },
  }));

/** A span: times in nanoseconds from `start`. */
export interface SpanOf {
  readonly id: string;
  readonly parent?: string;
  readonly name: string;
  readonly at: number;
  readonly took: number;
  readonly kind?: number;
  readonly failed?: string;
  readonly attributes?: { readonly [key: string]: Value };
  readonly events?: readonly {
    readonly name: string;
    readonly at: number;
    readonly attributes?: { readonly [key: string]: Value };
  }[];
}

/** One request with spans of one service. */
export function spans(
  service: string,
  trace: string,
  start: bigint,
  list: readonly SpanOf[],
  resource: { readonly [key: string]: Value } = {},
): object {
  const time = (offset: number) => String(start + BigInt(Math.round(offset)));
  return {
    resourceSpans: [
      {
        resource: { attributes: attributes({ 'service.name': service, ...resource }) },
        scopeSpans: [
          {
            scope: { name: 'test' },
            spans: list.map(span => ({
              traceId: trace,
              spanId: span.id,
              ...(span.parent === undefined ? {} : { parentSpanId: span.parent }),
              name: span.name,
              kind: span.kind ?? 1,
              startTimeUnixNano: time(span.at),
              endTimeUnixNano: time(span.at + span.took),
              attributes: attributes(span.attributes ?? {}),
              events: (span.events ?? []).map(event => ({
                name: event.name,
                timeUnixNano: time(event.at),
                attributes: attributes(event.attributes ?? {}),
              })),
              ...(span.failed === undefined ? {} : { status: { code: 2, message: span.failed } }),
            })),
          },
        ],
      },
    ],
  };
}

export const MARKUP = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>';
/** What would turn the text around it, and what would be an empty line. */
export const BIDI = 'pay\u202eload\u2066 \u0007bell\u200b';
export const HOSTILE = 'bad0bad0bad0bad0bad0bad0bad0bad0';

/** Names, values, statuses and services that mean harm. */
export const hostile = (): object =>
  // Before the hour that pages show: their pictures are of the shop.
  spans(MARKUP, HOSTILE, base() - 3n * 3600n * SECOND, [
    {
      id: 'bad0000000000001',
      name: MARKUP,
      at: 0,
      took: 5e6,
      kind: 2,
      failed: MARKUP,
      attributes: { [MARKUP]: MARKUP, link: 'javascript:alert(1)', page: 'https://example.com/a?b=c', bidi: BIDI },
    },
    {
      id: 'bad0000000000002',
      parent: 'bad0000000000001',
      name: BIDI,
      at: 1e6,
      took: 2e6,
      events: [{ name: MARKUP, at: 1.5e6, attributes: { 'exception.stacktrace': MARKUP } }],
    },
  ]);

export const NESTED = 'feed0000feed0000feed0000feed0000';

/** Five levels, two branches, one value that only one span has: for folding, finding and the critical path. */
export const nested = (): object =>
  spans('nesting', NESTED, base(), [
    {
      id: 'a000000000000001',
      name: 'GET /report',
      at: 0,
      took: 100e6,
      kind: 2,
      attributes: { 'http.route': '/report' },
    },
    { id: 'a000000000000002', parent: 'a000000000000001', name: 'load accounts', at: 5e6, took: 40e6 },
    {
      id: 'a000000000000003',
      parent: 'a000000000000002',
      name: 'SELECT accounts',
      at: 8e6,
      took: 30e6,
      kind: 3,
      attributes: { 'db.query.text': 'select * from accounts where region = ?', 'db.rows': 12 },
    },
    {
      id: 'a000000000000004',
      parent: 'a000000000000003',
      name: 'fetch page',
      at: 10e6,
      took: 12e6,
      attributes: { 'page.token': 'needle-7f3a' },
    },
    { id: 'a000000000000005', parent: 'a000000000000004', name: 'decode rows', at: 12e6, took: 5e6 },
    {
      id: 'a000000000000006',
      parent: 'a000000000000001',
      name: 'render',
      at: 50e6,
      took: 45e6,
      failed: 'template missing',
      events: [
        {
          name: 'exception',
          at: 60e6,
          attributes: {
            'exception.type': 'TemplateError',
            'exception.message': 'template missing',
            'exception.stacktrace': 'TemplateError: template missing\n    at render (report.ts:12:3)',
          },
        },
      ],
    },
    { id: 'a000000000000007', parent: 'a000000000000006', name: 'load template', at: 52e6, took: 20e6 },
  ]);

export const CONVERSATION = 'c0ffee00c0ffee00c0ffee00c0ffee00';

/** A conversation by the conventions of generative AI. */
export const conversation = (): object =>
  spans('assistant', CONVERSATION, base(), [
    {
      id: 'c000000000000001',
      name: 'invoke_agent travel',
      at: 0,
      took: 3_000e6,
      kind: 1,
      attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'travel' },
    },
    {
      id: 'c000000000000002',
      parent: 'c000000000000001',
      name: 'chat gpt-4o',
      at: 100e6,
      took: 1_200e6,
      kind: 3,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.input_tokens': 120,
        'gen_ai.usage.output_tokens': 45,
        'gen_ai.input.messages': JSON.stringify([
          { role: 'user', parts: [{ type: 'text', content: 'Weather in Paris?' }] },
        ]),
        'gen_ai.output.messages': JSON.stringify([
          {
            role: 'assistant',
            parts: [{ type: 'tool_call', id: 'call_1', name: 'weather', arguments: { city: 'Paris' } }],
          },
        ]),
      },
    },
    {
      id: 'c000000000000003',
      parent: 'c000000000000001',
      name: 'execute_tool weather',
      at: 1_400e6,
      took: 300e6,
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'weather',
        'gen_ai.tool.call.id': 'call_1',
      },
    },
  ]);

export const LARGE = '50000000500000005000000050000000';
export const LARGE_SPANS = 50_000;

/** One trace of 50,000 spans in requests of 5,000: every tenth is a child of the root, the others are below one another. */
export function* large(trace = LARGE, total = LARGE_SPANS): Generator<object> {
  // Before the hour that pages show: each of them would count it.
  const start = base() - 3n * 3600n * SECOND;
  const id = (at: number) => (at + 1).toString(16).padStart(16, '0');
  const names = ['GET /items', 'query', 'cache.get', 'serialize', 'publish'];
  for (let from = 0; from < total; from += 5_000) {
    const list: SpanOf[] = [];
    for (let at = from; at < Math.min(total, from + 5_000); at += 1) {
      const first = at % 10 === 0 ? 0 : at - 1;
      const begin = at === 0 ? 0 : Math.floor(at / 10) * 180_000 + (at % 10) * 9_000;
      list.push({
        id: id(at),
        ...(at === 0 ? {} : { parent: id(first) }),
        name: at === 0 ? 'batch' : names[at % names.length]!,
        at: begin,
        took: at === 0 ? 1_000e6 : 170_000 - (at % 10) * 16_000,
        ...(at % 997 === 5 ? { failed: 'timeout' } : {}),
        attributes: at === 31_337 ? { 'order.id': 'the-one' } : { n: at },
      });
    }
    yield spans('bulk', trace, start, list);
  }
}

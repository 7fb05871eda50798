/**
 * What one exported span costs the main thread of a Node.js program: our encoder beside the stock protobuf serializer,
 * on 512 spans freshly ended by the SDK in every batch, all attribute values different.
 *
 * `node bench/dist/js-encoder.js` after `npm run build:ts`.
 */
import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { encodeTraces } from '#dist/encoder/index.js';

const BATCH = 512;
const BATCHES = 150;
const ROUNDS = 7;

const memory = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'bench', 'service.version': '1.2.3' }),
  spanProcessors: [new SimpleSpanProcessor(memory)],
});
const tracer = provider.getTracer('bench', '1.0.0');
let serial = 0;

function endOne(to: Tracer): void {
  const n = serial++;
  const span = to.startSpan(`GET /items/${n % 97}`, {
    kind: SpanKind.SERVER,
    attributes: {
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
    },
  });
  span.setStatus({ code: SpanStatusCode.OK });
  span.end();
}

async function batch(): Promise<ReadableSpan[]> {
  for (let i = 0; i < BATCH; i++) endOne(tracer);
  await provider.forceFlush();
  const spans = memory.getFinishedSpans().slice();
  memory.reset();
  return spans;
}

interface Figures {
  readonly perSpan: number;
  readonly p99: number;
}

async function measure(encode: (spans: ReadableSpan[]) => number): Promise<Figures> {
  const batches: number[] = [];
  const rounds: number[] = [];
  for (let round = -2; round < ROUNDS; round++) {
    let total = 0;
    for (let i = 0; i < BATCHES; i++) {
      const spans = await batch();
      const before = process.hrtime.bigint();
      encode(spans);
      const took = Number(process.hrtime.bigint() - before) / 1000;
      if (round >= 0) batches.push(took);
      total += took;
    }
    if (round >= 0) rounds.push(total / BATCHES / BATCH);
  }
  const middle = rounds.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
  const p99 = batches.toSorted((a, b) => a - b)[Math.floor(batches.length * 0.99)] ?? Number.NaN;
  return { perSpan: middle, p99 };
}

const stock = await measure(spans => ProtobufTraceSerializer.serializeRequest(spans)?.length ?? 0);
const ours = await measure(spans => encodeTraces(spans, undefined, bytes => bytes.length));
console.log(
  `stock serializer: ${stock.perSpan.toFixed(2)} us a span, event loop blocked ${(stock.p99 / 1000).toFixed(2)} ms at p99`,
);
console.log(
  `otlp-arrow:       ${ours.perSpan.toFixed(2)} us a span, event loop blocked ${(ours.p99 / 1000).toFixed(2)} ms at p99`,
);
console.log(`ratio:            ${(stock.perSpan / ours.perSpan).toFixed(1)}`);

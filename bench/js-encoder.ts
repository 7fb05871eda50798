/**
 * What one exported span costs the main thread of a Node.js program: our encoder beside the stock protobuf serializer,
 * on 512 spans freshly ended by the SDK in every batch, all attribute values different.
 *
 * `node bench/dist/js-encoder.js` after `npm run build:native -- --release && npm run build:ts`.
 */
import { existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { OtlpLibrary } from 'otlp-arrow';
import { encodeTraces } from '#dist/encoder/index.js';

const BATCH = 512;
const BATCHES = 400;
const WARM_UP = 200;

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

/** Nanoseconds of processor time of the main thread where the system tells them (Linux), else of wall time. */
const cpu: () => number = (() => {
  const file = '/proc/thread-self/schedstat';
  if (!existsSync(file)) return () => Number(process.hrtime.bigint());
  const open = openSync(file, 'r');
  const buffer = Buffer.alloc(64);
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return () => {
    // The system adds up at a tick or when a thread is put aside: without a short sleep the figure is that of a while ago.
    Atomics.wait(sleeper, 0, 0, 0.02);
    return Number(buffer.toString('latin1', 0, readSync(open, buffer, 0, 64, 0)).split(' ')[0]);
  };
})();

/** One way to export a batch: what it does on the main thread, and what is waited for afterwards, off the clock. */
interface Way {
  readonly name: string;
  readonly run: (spans: ReadableSpan[]) => unknown;
  /** Nanoseconds of each batch. */
  readonly took: number[];
}

const outputDir = mkdtempSync(join(tmpdir(), 'otlp-arrow-bench-'));
const library = await OtlpLibrary.open({ outputDir });
const ways: Way[] = [
  { name: 'stock serializer', run: spans => ProtobufTraceSerializer.serializeRequest(spans), took: [] },
  { name: 'our encoder', run: spans => encodeTraces(spans, undefined, bytes => bytes.length), took: [] },
  { name: 'our exporter, native call included', run: spans => library.exportTraces(spans), took: [] },
];

// The ways take turns, so that what else the machine does falls on all of them alike.
for (let round = 0; round < WARM_UP + BATCHES; round++) {
  for (const way of ways) {
    const spans = await batch();
    const before = cpu();
    const pending = way.run(spans);
    const took = cpu() - before;
    await pending;
    if (round >= WARM_UP) way.took.push(took);
  }
}

const at = ({ took }: Way, share: number): number => took.toSorted((a, b) => a - b)[Math.floor(took.length * share)]!;
const [stock] = ways;
console.log(`${BATCH} spans of 10 attributes a batch, ${BATCHES} batches, Node.js ${process.versions.node}`);
for (const way of ways) {
  const perSpan = (at(way, 0.5) / BATCH / 1000).toFixed(2);
  const ratio = (at(stock!, 0.5) / at(way, 0.5)).toFixed(1);
  console.log(
    `${way.name.padEnd(36)} ${perSpan} us a span, ratio ${ratio}, a batch ${(at(way, 0.99) / 1e6).toFixed(2)} ms at p99`,
  );
}
await library.shutdown();
rmSync(outputDir, { recursive: true });

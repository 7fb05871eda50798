/**
 * A Node.js program that records by itself, to be killed in the middle of it: `node node.js DIRECTORY FIRST COUNT`.
 *
 * On standard output it says `opening`, `open`, `sent ID` before and `kept ID` after each export that succeeded.
 */
import { writeSync } from 'node:fs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchLogRecordProcessor,
  LoggerProvider,
  type LogRecordExporter,
  type LogRecordProcessor,
  type ReadableLogRecord,
  type SdkLogRecord,
} from '@opentelemetry/sdk-logs';
import { OtlpLibrary } from 'otlp-arrow';
import { recordsOf } from '../ledger.js';

const [directory = '', first = '', count = ''] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);
const last = Number(first) + Number(count);
// The service is sent spans and points as well; what is kept in process here are log records.
let next = Math.ceil(Number(first) / 3) * 3;

/** Keeps the records until they are asked for. */
class Collector implements LogRecordProcessor {
  #records: ReadableLogRecord[] = [];
  onEmit(record: SdkLogRecord): void {
    this.#records.push(record);
  }
  take(): ReadableLogRecord[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

/** A logger whose every record goes to `processor`. */
function logger(processor: LogRecordProcessor) {
  const resource = resourceFromAttributes({ 'service.name': 'crash-test' });
  return new LoggerProvider({ resource, processors: [processor] }).getLogger('crash');
}

function emit(to: ReturnType<typeof logger>, id: number): void {
  for (let index = 0; index < recordsOf(id); index += 1) {
    const time: [number, number] = [0, id * 1000 + index];
    to.emit({
      timestamp: time,
      observedTimestamp: time,
      severityNumber: 9,
      severityText: 'INFO',
      body: `request ${id} record ${index}`,
      attributes: { request: id, index, pad: String(id * 31 + index).repeat(1 + (index % 7)) },
    });
  }
}

/** Sends requests by the exporter itself; its callback is the acknowledgement. */
async function byCallback(exporter: LogRecordExporter): Promise<void> {
  const collector = new Collector();
  const to = logger(collector);
  while (next < last) {
    const id = next;
    next += 3;
    emit(to, id);
    say(`sent ${id}`);
    const { code } = await new Promise<{ code: number }>(resolve => exporter.export(collector.take(), resolve));
    if (code === 0) say(`kept ${id}`);
  }
}

/** Sends requests by the SDK's processor; `forceFlush` is the acknowledgement, unless the exporter reported a failure. */
async function byFlush(exporter: LogRecordExporter): Promise<void> {
  let failed = false;
  const watched: LogRecordExporter = {
    export: (records, done) =>
      exporter.export(records, result => {
        failed ||= result.code !== 0;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
  const processor = new BatchLogRecordProcessor({ exporter: watched, scheduledDelayMillis: 3_600_000 });
  const to = logger(processor);
  while (next < last) {
    const id = next;
    next += 3;
    failed = false;
    say(`sent ${id}`);
    emit(to, id);
    await processor.forceFlush();
    if (!failed) say(`kept ${id}`);
  }
}

say('opening');
const library = await OtlpLibrary.open({ outputDir: directory });
say('open');
const exporter = library.logExporter() as LogRecordExporter;
await Promise.all([byCallback(exporter), byCallback(exporter), byFlush(exporter)]);
say('done');
// An open library does not keep the process alive; who started it ends it.
setInterval(() => {}, 60_000);

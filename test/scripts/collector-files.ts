/**
 * Files that the Collector's own file exporter wrote, in each of its forms, rotated and appended to: `otlp-arrow convert` of
 * each file and of each folder is what was sent, record by record and in its order; also of files that are cut off anywhere.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  freePort,
  type Json,
  plain,
  RECORDS,
  record,
  recordsOf,
  SIGNALS,
  type Signal,
  send,
  startCollector,
  stop,
} from './collector-peer.js';
import { buildGo, goMissing } from './peers.js';
import { binary, ROOT, run } from './run.js';

/** Requests of each signal: before the Collector is started again, to what appends only, and in all. */
const BEFORE = 25;
const REQUESTS = 115;
/** Cuts of one file. */
const CUTS = 12;
/** Distinguishes the cuts of one run from another's; named in every failure. */
const SEED = Number(process.env.OTLP_ARROW_SEED ?? Date.now() % 1_000_000);

/** A folder of files as the exporter writes them with these settings. */
interface Form {
  readonly folder: string;
  /** Settings of the file exporter beside its path. */
  readonly settings: Json;
  /** Where it writes a signal, in the folder. */
  readonly file: (signal: Signal) => string;
  /** Whether it adds to what an earlier Collector wrote. */
  readonly appends?: boolean;
  /** Whether all signals are in one file, of which each message says which it is only where it is JSON. */
  readonly mixed?: 'json' | 'proto';
}

const ROTATED = { rotation: { max_megabytes: 1 } };
const ZSTD = { compression: 'zstd' };
const PROTO = { format: 'proto' };
const FORMS: readonly Form[] = [
  { folder: 'json', settings: {}, file: signal => `${signal}.json` },
  { folder: 'json-appended', settings: { append: true }, file: signal => `${signal}.jsonl`, appends: true },
  { folder: 'json-rotated', settings: ROTATED, file: signal => `${signal}.json` },
  { folder: 'json-zstd', settings: ZSTD, file: signal => `${signal}.json.zst` },
  { folder: 'json-zstd-rotated', settings: { ...ZSTD, ...ROTATED }, file: signal => `${signal}.json` },
  { folder: 'json-mixed', settings: ROTATED, file: () => 'otel.json', mixed: 'json' },
  { folder: 'json-zstd-mixed', settings: ZSTD, file: () => 'otel', mixed: 'json' },
  {
    folder: 'json-grouped',
    settings: { group_by: { enabled: true, resource_attribute: 'service.name' } },
    file: signal => `*/${signal}.json`,
  },
  { folder: 'proto', settings: PROTO, file: signal => `${signal}.pb` },
  { folder: 'proto-appended', settings: { ...PROTO, append: true }, file: signal => `${signal}.binpb`, appends: true },
  { folder: 'proto-rotated', settings: { ...PROTO, ...ROTATED }, file: signal => `${signal}.proto` },
  { folder: 'proto-zstd', settings: { ...PROTO, ...ZSTD }, file: signal => `my-${signal}.data` },
  { folder: 'proto-zstd-rotated', settings: { ...PROTO, ...ZSTD, ...ROTATED }, file: signal => signal },
  { folder: 'proto-mixed', settings: PROTO, file: () => 'otel.pb', mixed: 'proto' },
];

/** Text that no compression makes much shorter, so that a file of a megabyte is soon full. */
const filler = (number: number) =>
  Array.from({ length: 10 }, (_, part) => createHash('sha512').update(`${number} ${part}`).digest('base64')).join('');

/** Fails unless `convert` gives back what was sent from every file of the file exporter. */
export async function collectorFiles(): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const program = await buildGo(join(ROOT, 'test/peers/collector'), 'collector');
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-collector-files-'));
  try {
    const appending = FORMS.filter(form => form.appends);
    await write(program, directory, appending, 0, BEFORE);
    await write(program, directory, FORMS, BEFORE, REQUESTS);
    for (const form of FORMS) console.log(check(directory, form));
    console.log(cutOff(directory));
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A Collector from its start to its end, in which requests come to these forms. */
async function write(program: string, directory: string, forms: readonly Form[], from: number, to: number) {
  const port = await freePort();
  const config = join(directory, 'collector.json');
  writeFileSync(config, JSON.stringify(pipelines(directory, forms, port)));
  const collector = await startCollector(program, config, [port]);
  try {
    await send(`127.0.0.1:${port}`, from, to, filler);
  } finally {
    await stop(collector);
  }
}

function pipelines(directory: string, forms: readonly Form[], port: number): Json {
  const exporters: Record<string, Json> = {};
  const found: Json = {};
  for (const signal of SIGNALS) {
    const names = forms.map(form => {
      const name = form.mixed === undefined ? `file/${form.folder}-${signal}` : `file/${form.folder}`;
      const path = join(directory, form.folder, form.file(signal));
      exporters[name] = { ...form.settings, path, create_directory: true };
      return name;
    });
    found[signal] = { receivers: ['otlp'], exporters: names };
  }
  const receivers = { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } };
  const telemetry = { metrics: { level: 'none' }, logs: { level: 'warn' } };
  return { receivers, exporters, service: { pipelines: found, telemetry } };
}

/** Compares each file of a form, its folder, and the folder by way of an Arrow file with what was sent. */
function check(directory: string, form: Form): string {
  const folder = join(directory, form.folder);
  const files = filesOf(folder);
  const from = form.appends === true ? 0 : BEFORE;
  const told = form.mixed === 'proto' ? 3 : 0;
  let rotated = 0;
  for (const signal of SIGNALS) {
    const expected = numbers(from, REQUESTS);
    const own = files.filter(file => form.mixed !== undefined || basename(file).includes(signal));
    if (form.settings.rotation !== undefined) assert.ok(own.length > 1, `${form.folder}: ${signal} was not rotated`);
    const parts = own.map(file => converted(file, signal, told));
    // Each record is in one file, and a file has them as they were sent.
    assert.deepEqual(new Set(parts.flat()), new Set(expected), `${form.folder}: ${signal} of each file`);
    for (const part of parts)
      assert.deepEqual(
        part,
        [...part].sort((a, b) => a - b),
        `${form.folder}: order of ${signal}`,
      );
    assert.deepEqual(converted(folder, signal, told), expected, `${form.folder}: ${signal} of the folder`);
    const arrow = join(directory, `${form.folder}-${signal}.arrow`);
    convert(folder, signal, arrow, told);
    assert.deepEqual(converted(arrow, signal, 0), expected, `${form.folder}: ${signal} by way of Arrow`);
    rotated = Math.max(rotated, own.length);
  }
  const records = (REQUESTS - from) * RECORDS * SIGNALS.length;
  return `${form.folder}: ${records} records as they were sent, of ${files.length} files`;
}

/** Files of one signal that end anywhere: every message that is whole is there, and a piece of one is told. */
function cutOff(directory: string): string {
  const random = (index: number) =>
    createHash('sha256').update(`${SEED} ${index}`).digest().readUInt32BE() / 0x1_0000_0000;
  let cuts = 0;
  for (const form of FORMS.filter(({ settings, mixed }) => settings.rotation === undefined && mixed === undefined)) {
    const path = filesOf(join(directory, form.folder)).find(file => basename(file).includes('logs'))!;
    const bytes = readFileSync(path);
    const lines = form.folder.startsWith('json') && form.settings.compression === undefined;
    const ends = lines ? endsOfLines(bytes) : endsOfMessages(bytes);
    const from = form.appends === true ? 0 : BEFORE;
    assert.equal(ends.length, REQUESTS - from, `${form.folder}: messages`);
    // At an end, beside one, within the four bytes of a length, and anywhere.
    const places = [0, 1, -1, 3, 4, 5].map(beside => ends[7]! + beside);
    for (let cut = 0; cut < CUTS; cut += 1) places.push(1 + Math.floor(random(cuts + cut) * (bytes.length - 1)));
    for (const place of places) {
      const name = `${form.folder} cut off at ${place}, OTLP_ARROW_SEED=${SEED}`;
      const file = join(directory, `cut-${basename(path)}`);
      writeFileSync(file, bytes.subarray(0, place));
      // A line is whole without its end.
      const whole = ends.filter(end => end <= place || (lines && end - 1 === place)).length;
      const even = place === 0 || ends.includes(place) || (lines && ends.includes(place + 1));
      const code = even ? 0 : whole === 0 ? 1 : 3;
      assert.deepEqual(converted(file, 'logs', code), numbers(from, from + whole), name);
      cuts += 1;
    }
  }
  return `${cuts} files that are cut off: what is whole is there, the rest is told`;
}

const endsOfLines = (bytes: Buffer) => [...bytes.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);

function endsOfMessages(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ends.push(at)) at += 4 + bytes.readUInt32BE(at);
  return ends;
}

const numbers = (from: number, to: number) =>
  Array.from({ length: (to - from) * RECORDS }, (_, index) => from * RECORDS + index);

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(path => statSync(path).isFile())
    .sort();

/** The numbers of the records of an input in their order, after each was compared with what was sent. */
function converted(input: string, signal: Signal, code: number): number[] {
  const output = join(tmpdir(), `${basename(input)}-${process.pid}.jsonl`);
  try {
    if (!convert(input, signal, output, code)) return [];
    return readFileSync(output, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .flatMap(line => recordsOf(signal, JSON.parse(line)))
      .map(found => {
        const attribute = found.attributes.find(({ key }: Json) => key === 'number');
        const number = Number(attribute.value.intValue);
        assert.deepEqual(plain(found), record(signal, number, filler(number)), input);
        return number;
      });
  } finally {
    rmSync(output, { force: true });
  }
}

/** Whether `convert` wrote something; it must end with `code`, and tell of nothing where that is 0. */
function convert(input: string, signal: Signal, output: string, code: number): boolean {
  const args = ['convert', input, '--signal', signal, '--output', output];
  const { status, stderr } = spawnSync(binary('debug'), args, { encoding: 'utf8' });
  assert.equal(status, code, `${args.join(' ')}\n${stderr}`);
  if (code !== 0) assert.match(stderr, /./, args.join(' '));
  else if (!/left out .* of other signals/.test(stderr)) assert.equal(stderr, '', args.join(' '));
  return code !== 1;
}

/**
 * Few wire bytes that ask for much memory, at full size: 31 million empty records in 62 MB, 60 KB as gzip. Refused or
 * decoded within the stated memory; twice the records take twice the instructions; and the served process stays within
 * its budget whatever comes through its doors.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { binary, run } from './run.js';

/** What the process may hold beside what it reserves: program, threads, connections, the allocator's leftovers. */
const BESIDE_BUDGET = 64 << 20;
/** `buffer.max_bytes` by default. */
const BUDGET = 128 << 20;

const MIB = 1 << 20;

/** Runs the test of the columns with so many empty records. */
async function columns(records: number): Promise<void> {
  await run('cargo', ['test', '--release', '--quiet', '--test', 'small_wire', '--', '--nocapture'], {
    env: { OTLP_ARROW_EMPTY_RECORDS: String(records) },
  });
}

/** Instructions of the same test with so many empty records, or undefined without valgrind. */
async function instructions(executable: string, records: number): Promise<number | undefined> {
  const args = ['--tool=callgrind', '--callgrind-out-file=/dev/null', executable];
  const env = { OTLP_ARROW_EMPTY_RECORDS: String(records) };
  try {
    await run('valgrind', ['--version'], { quiet: true });
  } catch {
    return undefined;
  }
  const count = /Collected\s*:\s*(\d+)/.exec(await run('valgrind', args, { env, quiet: true }))?.[1];
  if (count === undefined) throw new Error('valgrind did not say how many instructions there were');
  return Number(count);
}

/** Twice the records may take twice the instructions and no more, beside what it takes to start. */
async function linear(records: number): Promise<void> {
  const build = ['test', '--release', '--quiet', '--test', 'small_wire', '--no-run', '--message-format=json'];
  const executable = /"executable":"([^"]+small_wire[^"]*)"/.exec(await run('cargo', build, { quiet: true }))?.[1];
  if (executable === undefined) throw new Error('cargo did not say where the test is');
  const counts = [];
  for (const times of [0, 1, 2]) counts.push(await instructions(executable, Math.max(1, records * times)));
  const [start, once, twice] = counts;
  if (start === undefined || once === undefined || twice === undefined) {
    console.log('instructions: not counted, valgrind cannot be started');
    return;
  }
  const ratio = (twice - start) / (once - start);
  console.log(
    `instructions: ${once - start} for ${records} empty records, ${ratio.toFixed(3)} times that for twice as many`,
  );
  if (ratio > 2.2) throw new Error(`${ratio} times the instructions for twice the records`);
}

function block(field: number, body: Buffer): Buffer {
  const head = [(field << 3) | 2];
  let length = body.length;
  for (; length >= 0x80; length >>>= 7) head.push((length & 0x7f) | 0x80);
  head.push(length);
  return Buffer.concat([Buffer.from(head), body]);
}

/** A request of one record many times, about `bytes` long. */
function repeated(record: Buffer, bytes: number): Buffer {
  return block(1, block(2, Buffer.alloc(Math.floor(bytes / record.length) * record.length, record)));
}

/** Where the service listens for gRPC and for HTTP. */
async function addresses(program: ChildProcess): Promise<readonly [URL, URL]> {
  const found: URL[] = [];
  for await (const line of createInterface(program.stdout!)) {
    const match = /^listening on (http:\/\/[0-9.:]+)/.exec(line);
    if (match?.[1] !== undefined) found.push(new URL(match[1]));
    const [grpc, http] = found;
    if (grpc !== undefined && http !== undefined) return [grpc, http];
  }
  throw new Error('the service ended before it listened');
}

/** Status of an export over HTTP. */
async function overHttp(address: URL, signal: string, body: Buffer<ArrayBuffer>): Promise<number> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
  const response = await fetch(new URL(`/v1/${signal}`, address), { method: 'POST', headers, body });
  await response.arrayBuffer();
  return response.status;
}

/** gRPC status of an export. */
function overGrpc(address: URL, signal: string, body: Buffer): Promise<number> {
  const service = { logs: 'logs.v1.Logs', traces: 'trace.v1.Trace', metrics: 'metrics.v1.Metrics' }[signal];
  const frame = Buffer.alloc(5);
  frame.writeUInt8(1);
  frame.writeUInt32BE(body.length, 1);
  return new Promise((resolve, reject) => {
    const session = connect(address);
    session.once('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': `/opentelemetry.proto.collector.${service}Service/Export`,
      'content-type': 'application/grpc',
      'grpc-encoding': 'gzip',
      te: 'trailers',
    });
    const take = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
    };
    stream.on('response', take).on('trailers', take).once('error', reject);
    stream.once('close', () => {
      session.close();
      reject(new Error('the call ended without a status'));
    });
    stream.resume();
    stream.end(Buffer.concat([frame, body]));
  });
}

/** Sends what is small on the wire through both doors, one at a time and four at once. */
async function served(bytes: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-small-wire-'));
  const listen = ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const program = spawn(binary('release'), ['serve', '--output-dir', directory, ...listen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>(resolve => program.once('close', () => resolve()));
  try {
    const [grpc, http] = await addresses(program);
    program.stdout.resume();
    const peak = () =>
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1]) * 1024;
    const idle = peak();
    const attribute = block(9, Buffer.concat([block(1, Buffer.from('k')), block(2, block(1, Buffer.from('v')))]));
    // 5,000,000 keys where there are 31,000,000 empty records.
    const keys = Buffer.alloc(Math.ceil((bytes / 2) * (5 / 31)) * attribute.length, attribute);
    const requests: readonly (readonly [string, string, Buffer])[] = [
      ['empty log records', 'logs', repeated(Buffer.from([0x12, 0]), bytes)],
      ['empty spans', 'traces', repeated(Buffer.from([0x12, 0]), bytes)],
      ['empty points', 'metrics', repeated(block(2, block(5, Buffer.from([0x0a, 0]))), bytes)],
      ['equal keys', 'traces', block(1, block(2, block(2, keys)))],
    ];
    for (const [name, signal, body] of requests) {
      const packed = Buffer.from(gzipSync(body, { level: 9 }));
      for (const times of [1, 4]) {
        const answers = await Promise.all(
          Array.from({ length: times }, () => [overHttp(http, signal, packed), overGrpc(grpc, signal, packed)]).flat(),
        );
        console.log(
          `${name}: ${body.length} bytes, ${packed.length} as gzip, answered ${answers.join(' ')}; peak ${Math.round(peak() / MIB)} MiB`,
        );
        // Kept, too large, or not now: 200, 413, 429 and 503; over gRPC 0, 8 and 14.
        const known = [200, 413, 429, 503, 0, 8, 14];
        const odd = answers.find(answer => !known.includes(answer));
        if (odd !== undefined) throw new Error(`${name} was answered with ${odd}`);
      }
    }
    const small = Buffer.from(gzipSync(repeated(Buffer.from([0x12, 0]), 20)));
    if ((await overHttp(http, 'logs', small)) !== 200)
      throw new Error('the service does not take an ordinary request any more');
    console.log(
      `resident memory: ${Math.round(idle / MIB)} MiB when idle, ${Math.round(peak() / MIB)} MiB at its peak`,
    );
    if (peak() > BUDGET + BESIDE_BUDGET) throw new Error(`${peak()} bytes are more than the budget and 64 MiB`);
  } finally {
    program.kill();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Everything, with so many empty records where the full size is 31 million; returns a reason if it cannot be tried. */
export async function smallWire(records: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'not here: resident memory is read from /proc';
  await columns(records);
  await linear(Math.min(records, 200_000));
  await run('cargo', ['build', '--release', '--quiet', '--bin', 'otlp-arrow']);
  await served(records * 2);
  return undefined;
}

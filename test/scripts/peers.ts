/** Software nobody here wrote: the official OpenTelemetry Go SDK sends, and what was kept is compared field by field. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectedLogs, expectedMetrics, expectedSpans, type Json } from '../peers/expected.js';
import { binary, ROOT, run } from './run.js';

const PEER = join(ROOT, 'test/peers/go');
const WAYS = ['grpc', 'grpc gzip', 'http', 'http gzip'];

/** The reason why no Go program can be built here, if there is one. */
export async function goMissing(): Promise<string | undefined> {
  try {
    await run('go', ['version'], { quiet: true });
    return undefined;
  } catch {
    return 'skipped: go cannot be started';
  }
}

/** Builds a Go program of test/peers into target/peers; returns its path. */
export async function buildGo(directory: string, name: string): Promise<string> {
  const program = join(ROOT, 'target/peers', process.platform === 'win32' ? `${name}.exe` : name);
  // The module needs a newer Go than some machines have; the go command brings it, as it does the modules.
  await run('go', ['build', '-trimpath', '-o', program, '.'], { cwd: directory, env: { GOTOOLCHAIN: 'auto' } });
  return program;
}

/** Fails unless everything the Go SDK sends by every way is kept as it was sent. */
export async function goPeers(): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const program = await buildGo(PEER, 'peers');
  const directory = mkdtempSync(join(tmpdir(), 'otlp-arrow-peers-'));
  try {
    const output = join(directory, 'kept');
    const { child, addresses } = await serve(output);
    try {
      await run(program, ['-grpc', addresses[0]!, '-http', addresses[1]!]);
    } finally {
      await end(child);
    }
    const kept = async (signal: string) => {
      const file = join(directory, `${signal}.jsonl`);
      await run(binary('debug'), ['convert', output, '--signal', signal, '--output', file], { quiet: true });
      return readFileSync(file, 'utf8').trim().split('\n').map(parse);
    };
    compare('traces', byWay(await kept('traces'), 'resourceSpans'), expectedSpans);
    compare('metrics', byWay(await kept('metrics'), 'resourceMetrics'), expectedMetrics);
    compare('logs', byWay(await kept('logs'), 'resourceLogs'), expectedLogs);
    console.log(`${WAYS.length} ways, 3 signals: everything as it was sent`);
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const parse = (line: string) => JSON.parse(line) as Record<string, Json[]>;

/** The resource's part of each way, by the name in its `service.name`. */
function byWay(requests: Record<string, Json[]>[], field: string): Map<string, Json[]> {
  const parts = new Map<string, Json[]>();
  for (const part of requests.flatMap(request => request[field] ?? [])) {
    const name = part.resource.attributes.find(({ key }: { key: string }) => key === 'service.name');
    const way = String(name?.value.stringValue).replace(/^peer /, '');
    parts.set(way, [...(parts.get(way) ?? []), part]);
  }
  return parts;
}

function compare(signal: string, parts: Map<string, Json[]>, expected: (way: string, found: Json) => Json): void {
  assert.deepEqual([...parts.keys()].sort(), WAYS, `${signal}: the ways that arrived`);
  for (const [way, found] of parts) {
    assert.equal(found.length, 1, `${signal} by ${way}: one resource`);
    assert.deepEqual(found[0], expected(way, found[0]!), `${signal} by ${way}`);
  }
}

/** `otlp-arrow serve` on free ports, with the host and port of both listeners. */
export async function serve(directory: string, settings: readonly string[] = []): Promise<Serving> {
  const listen = ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', ...settings.flatMap(setting => ['--set', setting])];
  const program = binary('debug');
  assert.ok(existsSync(program), `${program} is not built`);
  const child = spawn(program, ['serve', '--output-dir', directory, ...listen], { stdio: ['pipe', 'pipe', 'inherit'] });
  const addresses: string[] = [];
  for await (const line of createInterface(child.stdout!)) {
    const match = /^listening on http:\/\/([0-9.:]+)/.exec(line);
    if (match?.[1] !== undefined) addresses.push(match[1]);
    if (addresses.length === 2) break;
  }
  assert.equal(addresses.length, 2, 'the service did not listen');
  child.stdout!.resume();
  return { child, addresses };
}

/** A running service. */
export interface Serving {
  readonly child: ChildProcess;
  readonly addresses: readonly string[];
}

/** Ends a service in peace and waits for its end. */
export async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise<'ended'>(resolve => child.once('close', () => resolve('ended')));
  if (child.exitCode !== null || child.signalCode !== null) return;
  // On Windows this ends the process at once: what was acknowledged is kept all the same, and read from the live files.
  child.kill('SIGTERM');
  const deadline = new AbortController();
  const late = sleep(20_000, 'late' as const, { signal: deadline.signal }).catch(() => 'ended' as const);
  const outcome = await Promise.race([ended, late]);
  deadline.abort();
  assert.equal(outcome, 'ended', 'the service does not end on SIGTERM');
}

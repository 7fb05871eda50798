/** Public tools against the service on loopback, whose reports are read here: h2spec, h2load, slowhttptest. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Neighbour } from '../attacks/neighbour.js';
import { BESIDE, BUFFER, forgetPeak, peak, type Service, serve } from '../attacks/service.js';
import { oneSpan } from '../attacks/telemetry.js';
import { binary, CommandFailed, ROOT, run } from './run.js';

const H2SPEC = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';
/** What h2spec finds for a reason: the port speaks HTTP/1.1 too, and frames may be as large as a stream's window. */
const KNOWN = [
  'Sends invalid connection preface',
  'Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE',
];

/** Whether a program can be started here. */
async function has(program: string, ...args: string[]): Promise<boolean> {
  return run(program, args, { quiet: true }).then(
    () => true,
    error => error instanceof CommandFailed,
  );
}

/** What it printed, whatever it ended with: findings are read from the report. */
function report(program: string, args: readonly string[]): Promise<string> {
  return run(program, args, { quiet: true }).catch(error => {
    if (error instanceof CommandFailed) return error.output;
    throw error;
  });
}

/** h2spec fails on nothing but what is known. */
async function h2spec(port: number): Promise<string> {
  const folder = join(ROOT, 'target/tools');
  const program = join(folder, 'h2spec');
  if (!existsSync(program)) await run('go', ['install', H2SPEC], { env: { GOBIN: folder } });
  const text = await report(program, ['-h', '127.0.0.1', '-p', String(port), '-P', '/healthz', '-o', '4']);
  const counts = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(text);
  if (counts === null || Number(counts[1]) < 100) throw new Error(`h2spec has no report:\n${text.slice(-2_000)}`);
  const failures = [...new Set([...text.matchAll(/× \d+: (.+)/g)].map(found => found[1]!.trim()))];
  const unknown = failures.filter(failure => !KNOWN.some(known => failure.includes(known)));
  if (unknown.length > 0) throw new Error(`h2spec found ${unknown.join('; ')}`);
  return counts[0];
}

/** Each of many requests over many streams is answered with 200. */
async function h2load(port: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-h2load-'));
  try {
    const body = join(folder, 'body');
    writeFileSync(body, oneSpan('attack', 'h2load'));
    const load = ['-n', '50000', '-c', '20', '-m', '50', '-d', body, '-H', 'content-type: application/x-protobuf'];
    const text = await run('h2load', [...load, `http://127.0.0.1:${port}/v1/traces`], { quiet: true });
    const status = /status codes: (.+)/.exec(text)?.[1] ?? text;
    if (!/^50000 2xx, 0 3xx, 0 4xx, 0 5xx/.test(status)) throw new Error(`h2load was answered ${status}`);
    return status;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All slow connections are closed, and the service was there throughout. */
async function slowhttptest(port: number): Promise<string> {
  const said: string[] = [];
  for (const kind of ['-H', '-B', '-X', '-R']) {
    const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-slow-'));
    try {
      const out = join(folder, 'report');
      const slow = ['-c', '300', kind, '-i', '2', '-r', '200', '-l', '30', '-p', '10', '-g', '-o', out];
      await report('slowhttptest', [...slow, '-u', `http://127.0.0.1:${port}/healthz`]);
      // Second, closed, pending, connected, and whether the service was there.
      const lines = readFileSync(`${out}.csv`, 'utf8').trim().split('\n').slice(1);
      const away = lines.filter(line => !(Number(line.split(',')[4]) > 0));
      if (lines.length === 0 || away.length > 0)
        throw new Error(`slowhttptest ${kind} found it away:\n${lines.join('\n')}`);
      said.push(`${kind} ${lines.length} s, available`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return said.join(', ');
}

interface Tool {
  readonly name: string;
  readonly asks: readonly [string, ...string[]];
  readonly attack: (port: number) => Promise<string>;
}

const TOOLS: readonly Tool[] = [
  { name: 'h2spec', asks: ['go', 'version'], attack: h2spec },
  { name: 'h2load', asks: ['h2load', '--version'], attack: h2load },
  { name: 'slowhttptest', asks: ['slowhttptest', '-h'], attack: slowhttptest },
];

/** Each tool that can be had, beside a client that must be served; returns a reason where one is not to be had. */
export async function attackTools(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'not here: the attempts read /proc';
  await run('cargo', ['build', '--quiet', '--bin', 'otlp-arrow']);
  const service = await serve(binary('debug'));
  const missing: string[] = [];
  try {
    for (const { name, asks, attack } of TOOLS) {
      const [program, ...args] = asks;
      if (await has(program, ...args)) console.log(`${name}: ${await beside(service, attack)}`);
      else missing.push(name);
    }
  } finally {
    await service.stop();
  }
  return missing.length === 0 ? undefined : `skipped: ${missing.join(', ')} cannot be started`;
}

async function beside(service: Service, attack: Tool['attack']): Promise<string> {
  forgetPeak(service);
  const neighbour = new Neighbour(service.ports[1]);
  const found = await attack(service.ports[1]).finally(() => neighbour.stop().catch(() => undefined));
  const { requests, slowest } = await neighbour.stop();
  if (peak(service) > BUFFER + BESIDE) throw new Error(`${peak(service)} bytes at the peak`);
  return `${found}; beside it ${requests} answered, the slowest after ${slowest.toFixed(0)} ms; peak ${peak(service) >> 20} MiB`;
}

/** The real service as a process that can be killed, and the load that is put on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { binary } from '../scripts/run.js';

/** A running `otlp-arrow serve`. */
export interface Service {
  readonly process: ChildProcess;
  /** Resolves when the process has ended, however. */
  readonly ended: Promise<void>;
  /** The HTTP address, or undefined if it ended before it listened. */
  readonly address: Promise<URL | undefined>;
}

/** Starts the service on free ports over `directory`; `failpoint` makes it end itself at a named place. */
export function startService(directory: string, settings: readonly string[], failpoint?: string): Service {
  const sets = settings.flatMap(setting => ['--set', setting]);
  const listen = ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const child = spawn(binary('debug'), ['serve', '--output-dir', directory, ...listen, ...sets], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...(failpoint === undefined ? {} : { OTLP_ARROW_FAILPOINT: failpoint }) },
  });
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
  const address = new Promise<URL | undefined>(resolve => {
    const found: URL[] = [];
    const lines = createInterface(child.stdout);
    lines.on('line', line => {
      const match = /^listening on (http:\/\/[0-9.:]+)/.exec(line);
      if (match?.[1] !== undefined) found.push(new URL(match[1]));
      if (found.length === 2) resolve(found[1]);
    });
    lines.once('close', () => resolve(undefined));
  });
  return { process: child, ended, address };
}

/** Everything that was sent into one directory. */
export class Ledger {
  readonly sent: Record<number, number> = {};
  readonly acked: number[] = [];
  #next = 1;

  /** A request that was never sent before. */
  next(): { id: number; records: number } {
    const id = this.#next++;
    const records = 1 + ((id * 7919) % 40);
    this.sent[id] = records;
    return { id, records };
  }
}

/** One OTLP/JSON request whose every cell follows from its number; `oracle.py` knows the same rule. */
export function body(id: number, records: number): string {
  const logRecords = Array.from({ length: records }, (_, index) => ({
    timeUnixNano: String(id * 1000 + index),
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: `request ${id} record ${index}` },
    attributes: [
      { key: 'request', value: { intValue: id } },
      { key: 'index', value: { intValue: index } },
      { key: 'pad', value: { stringValue: (id * 31 + index).toString(16).repeat(1 + (index % 7)) } },
    ],
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'crash-test' } }] };
  return JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'crash' }, logRecords }] }] });
}

/** Sends requests one after the other until `until` settles or the service is gone. Acknowledged ones enter the ledger. */
export async function sendUntil(address: URL, ledger: Ledger, until: Promise<void>): Promise<void> {
  let over = false;
  void until.then(() => {
    over = true;
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let count = 0; !over && count < 5000; count += 1) {
    const { id, records } = ledger.next();
    const status = await post(new URL('/v1/logs', address), body(id, records), agent);
    if (status === 200) ledger.acked.push(id);
    if (status === undefined) break;
  }
  agent.destroy();
}

function post(url: URL, text: string, agent: Agent): Promise<number | undefined> {
  return new Promise(resolve => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const outgoing = request(url, { method: 'POST', agent, headers }, response => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
      response.once('error', () => resolve(undefined));
    });
    outgoing.once('error', () => resolve(undefined));
    outgoing.end(text);
  });
}

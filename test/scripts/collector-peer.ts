/** The Collector as a peer: its process, what is sent to it, and how what it wrote is read. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { createConnection, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Json = Record<string, unknown>;
type Filler = (number: number) => string;

export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];
/** Records of one request. */
export const RECORDS = 20;

/** The Collector with a configuration, as soon as it listens on these ports. */
export async function startCollector(program: string, config: string, ports: readonly number[]): Promise<ChildProcess> {
  const child = spawn(program, ['--config', `file:${config}`], { stdio: ['ignore', 'inherit', 'inherit'] });
  for (const port of ports) {
    const deadline = Date.now() + 60_000;
    while (!(await answers(port))) {
      assert.equal(child.exitCode, null, 'the Collector ended');
      assert.ok(Date.now() < deadline, 'the Collector does not listen');
      await sleep(50);
    }
  }
  return child;
}

/** Ends it in peace and waits for its end. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
}

const answers = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** A port that is free now: the Collector must come back to the same one. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });

/** Sends the requests with these numbers, one after the other, to an OTLP/HTTP address. */
export async function send(address: string, from: number, to: number, filler: Filler = () => ''): Promise<void> {
  for (let request = from; request < to; request += 1) {
    for (const signal of SIGNALS) {
      const response = await fetch(`http://${address}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(envelope(signal, request, filler)),
      });
      assert.equal(response.status, 200, await response.text());
    }
  }
}

const text = (value: string) => ({ stringValue: value });
const time = (number: number) => `${1_700_000_000_000_000_000n + BigInt(number) * 1_000_003n}`;
const hex = (number: number, digits: number) => (number + 1).toString(16).padStart(digits, '0');

/** One record as it is sent, and as the Collector writes it; with `filler`, a text that makes it longer. */
export function record(signal: Signal, number: number, filler = ''): Json {
  const attributes = [
    { key: 'number', value: { intValue: `${number}` } },
    { key: 'deep', value: { arrayValue: { values: [text(`n${number}`), { boolValue: true }, { doubleValue: 0.5 }] } } },
    ...(filler === '' ? [] : [{ key: 'filler', value: text(filler) }]),
  ];
  switch (signal) {
    case 'traces':
      return {
        traceId: hex(number, 32),
        spanId: hex(number, 16),
        flags: 256,
        name: `span ${number}`,
        kind: 2,
        startTimeUnixNano: time(number),
        endTimeUnixNano: time(number + 1),
        attributes,
        events: [{ timeUnixNano: time(number), name: 'event', attributes: [{ key: 'e', value: text('é') }] }],
        status: { message: 'it broke', code: 2 },
      };
    case 'metrics':
      return { attributes, startTimeUnixNano: time(0), timeUnixNano: time(number), asInt: `${number}` };
    case 'logs':
      return {
        timeUnixNano: time(number),
        observedTimeUnixNano: time(number + 1),
        severityNumber: 9,
        severityText: 'INFO',
        body: text(`record ${number} "quoted" é`),
        attributes,
      };
  }
}

function envelope(signal: Signal, request: number, filler: Filler): Json {
  const numbers = Array.from({ length: RECORDS }, (_, index) => request * RECORDS + index);
  const records = numbers.map(number => record(signal, number, filler(number)));
  const resource = { attributes: [{ key: 'service.name', value: text('sender') }] };
  const scope = { name: 'scope', version: '1' };
  switch (signal) {
    case 'traces':
      return { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: records }] }] };
    case 'metrics': {
      const sum = { dataPoints: records, aggregationTemporality: 2, isMonotonic: true };
      return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: [{ name: 'm', unit: '1', sum }] }] }] };
    }
    case 'logs':
      return { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: records }] }] };
  }
}

/** The records of a line, whose resource and scope must be those that were sent. */
export function recordsOf(signal: Signal, line: any): any[] {
  const of = (outer: string, inner: string): any[] =>
    (line[outer] ?? []).flatMap((one: any) => {
      assert.deepEqual(one.resource, { attributes: [{ key: 'service.name', value: text('sender') }] });
      return one[inner].flatMap((part: Json) => {
        assert.deepEqual(part.scope, { name: 'scope', version: '1' });
        return part;
      });
    });
  switch (signal) {
    case 'traces':
      return of('resourceSpans', 'scopeSpans').flatMap(part => part.spans);
    case 'logs':
      return of('resourceLogs', 'scopeLogs').flatMap(part => part.logRecords);
    case 'metrics':
      return of('resourceMetrics', 'scopeMetrics').flatMap(part =>
        part.metrics.flatMap((metric: Json) => {
          const { sum, ...rest } = metric as { sum: Json };
          assert.deepEqual(plain(rest), { name: 'm', unit: '1' });
          assert.deepEqual([sum.aggregationTemporality, sum.isMonotonic], [2, true]);
          return sum.dataPoints;
        }),
      );
  }
}

/** Without what an encoder may leave out: empty text and empty lists. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== '' && !(Array.isArray(item) && item.length === 0));
  return Object.fromEntries(kept.map(([key, item]) => [key, plain(item)]));
}

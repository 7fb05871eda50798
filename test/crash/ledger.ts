/** What is sent: every cell of a request follows from its number; `oracle.py` and the programs know the same rules. */

/** Records of a request. */
export const recordsOf = (id: number): number => 1 + ((id * 7919) % 40);

/** What happened since it was asked for the last time. */
export interface News {
  /** Records of each request that was sent, acknowledged or not. */
  readonly sent: Readonly<Record<number, number>>;
  readonly acked: readonly number[];
}

/** Everything that was sent into one directory. */
export class Ledger {
  /** Requests acknowledged so far. */
  acknowledged = 0;
  /** Records in them. */
  records = 0;
  #sent: Record<number, number> = {};
  #acked: number[] = [];
  #next = 1;

  /** The number of a request that was never sent before; it counts as sent. */
  next(): number {
    const id = this.#next++;
    this.send(id);
    return id;
  }

  /** So many numbers in a row for a program that sends by itself: the first of them. None counts as sent yet. */
  reserve(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }

  send(id: number): void {
    this.#sent[id] = recordsOf(id);
  }

  acknowledge(id: number): void {
    this.#acked.push(id);
    this.acknowledged += 1;
    this.records += recordsOf(id);
  }

  news(): News {
    const news = { sent: this.#sent, acked: this.#acked };
    this.#sent = {};
    this.#acked = [];
    return news;
  }
}

/** One OTLP/JSON request with the path it goes to: logs, spans and points take turns. */
export function request(id: number): { path: string; body: string } {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'crash-test' } }] };
  const scope = { name: 'crash' };
  const each = <T>(make: (key: number, index: number, attributes: unknown) => T): T[] =>
    Array.from({ length: recordsOf(id) }, (_, index) => make(id * 1000 + index, index, attributes(id, index)));
  if (id % 3 === 0) {
    const logRecords = each((key, index, attributes) => ({
      timeUnixNano: String(key),
      observedTimeUnixNano: String(key),
      severityNumber: 9,
      severityText: 'INFO',
      body: { stringValue: `request ${id} record ${index}` },
      attributes,
    }));
    return {
      path: '/v1/logs',
      body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] }),
    };
  }
  if (id % 3 === 1) {
    const spans = each((key, index, attributes) => ({
      traceId: id.toString(16).padStart(32, '0'),
      spanId: key.toString(16).padStart(16, '0'),
      name: `span ${index % 5}`,
      kind: 2,
      startTimeUnixNano: String(key),
      endTimeUnixNano: String(key + 500),
      attributes,
    }));
    return {
      path: '/v1/traces',
      body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }),
    };
  }
  const metrics = each((key, index, attributes) => ({
    name: `gauge.${index % 3}`,
    gauge: { dataPoints: [{ timeUnixNano: String(key), asInt: String(key), attributes }] },
  }));
  const body = JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] });
  return { path: '/v1/metrics', body };
}

function attributes(id: number, index: number): unknown {
  return [
    { key: 'request', value: { intValue: id } },
    { key: 'index', value: { intValue: index } },
    { key: 'pad', value: { stringValue: String(id * 31 + index).repeat(1 + (index % 7)) } },
  ];
}

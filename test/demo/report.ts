/** What the recorder kept, read back with apache-arrow from the files alone. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Table, tableFromIPC } from 'apache-arrow';
import 'otlp-arrow/arrow';

interface Span {
  readonly name: string;
  readonly service: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly start: bigint;
  readonly duration: bigint;
  readonly failed: boolean;
}

const SIGNALS = { traces: 'spans', metrics: 'data points', logs: 'log records' } as const;

/** The report of one output directory, as lines. */
export function report(directory: string): string[] {
  const lines: string[] = [];
  for (const [signal, what] of Object.entries(SIGNALS)) {
    const paths = files(directory, signal);
    const rows = paths.map(path => open(path).numRows).reduce((sum, count) => sum + count, 0);
    const bytes = paths.map(path => statSync(path).size).reduce((sum, size) => sum + size, 0);
    const where = join(directory, 'otlp', signal);
    lines.push(
      `${String(rows).padStart(8)} ${what.padEnd(12)} in ${paths.length} file(s), ${bytes} bytes, under ${where}`,
    );
  }
  lines.push('', 'Slowest traces:', ...slowest(files(directory, 'traces'), 3));
  return lines;
}

/** The sealed files of one signal. */
export function files(directory: string, signal: string): string[] {
  const folder = join(directory, 'otlp', signal);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter(name => name.endsWith('.arrow')).map(name => join(folder, name));
}

function open(path: string): Table {
  return tableFromIPC(readFileSync(path));
}

function slowest(paths: readonly string[], count: number): string[] {
  const traces = new Map<string, Span[]>();
  for (const path of paths) {
    for (const [trace, span] of spans(open(path))) {
      const known = traces.get(trace);
      if (known === undefined) traces.set(trace, [span]);
      else known.push(span);
    }
  }
  const roots = [...traces].flatMap(([trace, all]) => {
    const root = all.find(span => span.parent === undefined);
    return root === undefined ? [] : [{ trace, root, all }];
  });
  roots.sort((a, b) => Number(b.root.duration - a.root.duration));
  return roots.slice(0, count).flatMap(({ trace, root, all }) => [`  trace ${trace}`, ...tree(root, all, '    ')]);
}

function tree(span: Span, all: readonly Span[], indent: string): string[] {
  const took = `${(Number(span.duration) / 1e6).toFixed(1)} ms`;
  const line = `${indent}${span.service}: ${span.name}`.padEnd(56) + took.padStart(10) + (span.failed ? '  error' : '');
  const children = all.filter(other => other.parent === span.id).sort((a, b) => Number(a.start - b.start));
  return [line, ...children.flatMap(child => tree(child, all, `${indent}  `))];
}

function* spans(table: Table): Generator<[string, Span]> {
  // Timestamps are exact only as raw 64-bit integers: apache-arrow's get() makes floating milliseconds of them.
  const starts = table.batches.flatMap(batch => {
    const values: BigInt64Array | undefined = batch.getChild('start_time')?.data[0]?.values;
    return [...(values ?? [])];
  });
  let row = 0;
  for (const record of table) {
    const parent = record.parent_span_id as Uint8Array | null;
    yield [
      hex(record.trace_id),
      {
        name: record.name,
        service: record.service_name ?? '?',
        id: hex(record.span_id),
        parent: parent === null ? undefined : hex(parent),
        start: starts[row++] ?? 0n,
        duration: record.duration,
        failed: record.status_code === 'error',
      },
    ];
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What apache-arrow JS finds in files of the schema: `node read.js FILE…` prints what test/interop/readers.py does for its tools. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Table, tableFromIPC } from 'apache-arrow';
import { rows } from '../node/cells.js';
import 'otlp-arrow/arrow';

const attribute = (row: { attributes: Record<string, string> }) => row.attributes['http.route'];

/** Whether a time of a row is what the raw array holds, as far as the file has times that are no whole milliseconds. */
function timesAreFloats(table: Table): boolean {
  const times = table.getChild('start_time');
  if (!times) return false;
  const raw = times.data.flatMap(({ values }) => [...(values as BigInt64Array)]);
  return raw.some((exact, at) => times.get(at) !== null && BigInt(Math.round(times.get(at) * 1e6)) !== exact);
}

/** The package exports no package.json. */
const root = dirname(createRequire(import.meta.url).resolve('apache-arrow'));
const version: string = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

function read(path: string) {
  const table = tableFromIPC(readFileSync(path));
  return {
    version: version.split('.').slice(0, 2).join('.'),
    rows: rows(table),
    routes: Array.from({ length: table.numRows }, (_, at) => attribute(table.get(at) as never) ?? null),
    limits: timesAreFloats(table)
      ? ["`get()` gives a time as a float of milliseconds; exactly: `t.getChild('start_time').data[0].values`"]
      : [],
  };
}

const source = String(attribute).replace(/^.*=> /, '');
console.log(JSON.stringify({ attribute: source, found: process.argv.slice(2).map(read) }));

/**
 * apache-arrow in the build the program uses. There are two, of ECMAScript and of CommonJS modules, whose classes do not
 * know each other: what one of them writes of a table of the other is not Arrow, and not an error either.
 */
import type { RecordBatch, Table } from 'apache-arrow';
import { invalidData, shown } from './arguments.js';
import { require } from './require.js';

type Arrow = typeof import('apache-arrow');

/** Whether the program began with a CommonJS module. */
export const isCommonJs = require.main !== undefined;

/** The CommonJS build, loaded if it is not yet; undefined in a bundle that has no packages beside it. */
export function commonJs(): Arrow | undefined {
  const file = commonJsFile();
  return file === undefined ? undefined : (require(file) as Arrow);
}

/** The CommonJS build if somebody has loaded it. */
function loaded(): Arrow | undefined {
  const file = commonJsFile();
  const module = file === undefined ? undefined : require.cache?.[file];
  return module?.loaded ? (module.exports as Arrow) : undefined;
}

function commonJsFile(): string | undefined {
  try {
    return require.resolve('apache-arrow');
  } catch {
    return undefined;
  }
}

/** The build to make tables with. */
export async function arrow(): Promise<Arrow> {
  // A program of ECMAScript modules may load the other one through something it depends on.
  return (isCommonJs && loaded()) || import('apache-arrow');
}

/** Rows as one Arrow IPC stream. */
export async function ipcOf(rows: Table | RecordBatch): Promise<Uint8Array> {
  const { Table, tableToIPC } = await arrowOf(rows);
  return tableToIPC('batches' in rows ? rows : new Table(rows), 'stream');
}

/** The build that `rows` are made with. */
async function arrowOf(rows: Table | RecordBatch): Promise<Arrow> {
  const other = loaded();
  if (other && madeBy(other, rows)) return other;
  const own = await import('apache-arrow');
  if (madeBy(own, rows)) return own;
  throw invalidData(
    `rows are ${shown(rows)}, no table or record batch of the apache-arrow that otlp-arrow sees: hand over the bytes of an Arrow IPC stream, such as tableToIPC(rows, 'stream')`,
  );
}

/** Not instanceof, which asks for the look of an object and not for its class. */
function madeBy({ Table, RecordBatch }: Arrow, rows: Table | RecordBatch): boolean {
  if (typeof rows !== 'object' || rows === null) return false;
  return [Table, RecordBatch].some(({ prototype }) => Object.prototype.isPrototypeOf.call(prototype, rows));
}

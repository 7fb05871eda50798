/** Cells of apache-arrow vectors as test/fixtures/README.md describes them. */
import { DataType, type Table, type Vector } from 'apache-arrow';

export type Cell = string | number | boolean | null | Cell[] | { [field: string]: Cell };
export type Row = { [column: string]: Cell };

/** Rows without their null cells. */
export function rows(table: Table): Row[] {
  const columns = table.schema.fields.map(({ name }) => [name, table.getChild(name)!] as const);
  return Array.from({ length: table.numRows }, (_, at) => object(columns, at));
}

function object(columns: readonly (readonly [string, Vector])[], at: number): Row {
  return Object.fromEntries(
    columns.map(([name, vector]) => [name, cell(vector, at)] as const).filter(([, value]) => value !== null),
  );
}

function cell(vector: Vector, at: number): Cell {
  const value = vector.get(at);
  if (value === null) return null;
  const { type } = vector;
  if (DataType.isTimestamp(type)) return String(exactTime(vector, at));
  if (DataType.isFloat(type)) return double(value);
  if (DataType.isMap(type)) return [...value].map(([key, inner]) => [key, inner]);
  if (DataType.isList(type)) return Array.from({ length: value.length }, (_, inner) => cell(value, inner));
  if (DataType.isStruct(type)) {
    return object(
      type.children.map(({ name }, child) => [name, vector.getChildAt(child)!] as const),
      at,
    );
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'bigint' ? String(value) : value;
}

/** get() of a timestamp is a float of milliseconds; the array beneath it is exact. */
function exactTime(vector: Vector, at: number): bigint {
  let rest = at;
  for (const data of vector.data) {
    if (rest < data.length) return data.values[rest];
    rest -= data.length;
  }
  throw new RangeError(`no row ${at}`);
}

/** One text a value, also for what another language wrote. */
function double(value: number | string): string {
  return Object.is(Number(value), -0) ? '-0' : String(Number(value));
}

/** A cell that another language wrote, its doubles as this one writes them. */
function normal(value: Cell, type: DataType): Cell {
  if (value === null) return null;
  if (DataType.isFloat(type)) return double(value as string);
  if (DataType.isList(type)) return (value as Cell[]).map(inner => normal(inner, type.valueType));
  if (!DataType.isStruct(type)) return value;
  const struct = value as Row;
  const fields = type.children.filter(({ name }) => name in struct);
  return Object.fromEntries(fields.map(field => [field.name, normal(struct[field.name]!, field.type)]));
}

/** Rows that another language wrote. */
export function normalRows(found: readonly Row[], { schema }: Table): Row[] {
  const types = new Map(schema.fields.map(({ name, type }) => [name, type]));
  return found.map(row =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, normal(value, types.get(name)!)])),
  );
}

/** What TypeScript cannot see to where a program is plain JavaScript: a wrong argument is an error with a name and a remedy. */
import { inspect, types } from 'node:util';
import { InvalidConfigError, InvalidDataError } from './errors.js';
import { SIGNALS, type Signal } from './signal.js';

/** An INVALID_CONFIG with a text. */
export function invalidConfig(message: string): InvalidConfigError {
  return new InvalidConfigError('INVALID_CONFIG', message, false);
}

/** An INVALID_DATA with a text, and what was thrown. */
export function invalidData(message: string, cause?: unknown): InvalidDataError {
  return new InvalidDataError('INVALID_DATA', message, false, cause === undefined ? undefined : { cause });
}

/** A value as a person would write it, short. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 60 });
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Where a signal stands among {@link SIGNALS}, as the addon is told it. */
export function positionOf(signal: Signal): number {
  const position = SIGNALS.indexOf(signal);
  if (position === -1) throw invalidConfig(`signal: unknown signal ${shown(signal)}: use traces, metrics or logs`);
  return position;
}

/** `value` if it is one of `allowed`. */
export function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw invalidConfig(`${name} = ${shown(value)}: use ${allowed.slice(0, -1).join(', ')} or ${allowed.at(-1)}`);
}

/** `value` if it is a text. */
export function textOf(name: string, value: string): string {
  if (typeof value === 'string') return value;
  throw invalidConfig(`${name} = ${shown(value)}: use a text`);
}

/** `value` if it is true or false. */
export function flagOf(name: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidConfig(`${name} = ${shown(value)}: use true or false`);
}

/** `value` if it is a number of milliseconds; it may be infinite. */
export function milliseconds(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw invalidConfig(`${name} = ${shown(value)}: use a number of milliseconds`);
}

/** `value` if it is bytes; a Buffer is, an ArrayBuffer is not. */
export function bytesOf(value: Uint8Array): Uint8Array {
  if (types.isUint8Array(value)) return value;
  throw invalidData(`the bytes of a request belong in a Uint8Array or Buffer, not in ${shown(value)}`);
}

/** JSON of what was handed over. JSON has no bigint; as text it is refused by what reads it, with its key. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}` : inner));
}

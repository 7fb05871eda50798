/** Words and values as every language hands them to the core: texts. It parses them, and says what is wrong with one. */
import { types } from 'node:util';
import { invalidConfig, shown } from '../arguments.js';
import { camelKey, snakeKey } from '../case.js';

/** Words that take a length of time: a bigint of these is nanoseconds, as answers have it. */
const DURATIONS = new Set(['min_duration', 'max_duration', 'step']);

/** `words`, an object of values and lists of values, as pairs in order. */
export function pairsOf(words: object): [string, string][] {
  if (typeof words !== 'object' || words === null || Array.isArray(words)) {
    throw invalidConfig(`${shown(words)} is not the words of a question: write { service: 'checkout' }`);
  }
  return Object.entries(words).flatMap(([key, value]) => {
    const word = snakeKey(key);
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.filter(one => one !== undefined).map((one): [string, string] => [word, textOf(word, one)]);
  });
}

function textOf(word: string, value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
      return `${value}`;
    case 'bigint':
      return DURATIONS.has(word) ? `${value}ns` : `${value}`;
    case 'number':
      // As people write it: 1e21 is not a number of rows.
      if (Number.isFinite(value)) return `${value}`;
      break;
    default:
      if (types.isDate(value) && !Number.isNaN(value.getTime())) {
        const nanoseconds = BigInt(value.getTime()) * 1_000_000n;
        return `${nanoseconds < 0n ? 0n : nanoseconds}`;
      }
  }
  throw invalidConfig(`${camelKey(word)} = ${shown(value)}: use a text, or the type that the word has`);
}

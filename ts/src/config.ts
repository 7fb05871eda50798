import { json } from './arguments.js';
import { renamed, snakeKey } from './case.js';
import { OPEN_KEYS, type OtlpConfig } from './keys.js';

/** The configuration as the core reads it: JSON with keys in snake case. */
export function toJson(config: OtlpConfig): string {
  return json(renamed(config, snakeKey, OPEN_KEYS));
}

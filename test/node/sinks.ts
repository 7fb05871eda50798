import type { Sink } from '#dist/encoder/index.js';
import { unwrap } from '#dist/errors.js';
import { native } from '#dist/native.js';

/** Takes a request as the bytes that the addon makes of it. */
export const made: Sink<Buffer> = ({ steps, text, bytes }) => unwrap(native.makeRequest(steps, text, bytes));

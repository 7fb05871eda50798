/**
 * Lets apache-arrow open sealed files, which are compressed with zstd, in one line:
 *
 * @example
 * import 'otlp-arrow/arrow';
 * import { tableFromIPC } from 'apache-arrow';
 * const table = tableFromIPC(readFileSync('telemetry/otlp/traces/….arrow'));
 */
import { type Codec, CompressionType, compressionRegistry } from 'apache-arrow';
import { commonJs, isCommonJs } from './apache-arrow.js';
import { unwrap } from './errors.js';
import { native } from './native.js';

/** The codec itself, for a copy of apache-arrow that is not the one this package sees. */
export const zstdCodec: Codec = {
  decode(data: Uint8Array): Uint8Array {
    // apache-arrow lays 64-bit arrays over what it gets: a copy begins at the start of a buffer of its own.
    return new Uint8Array(unwrap(native.decompressZstd(data)));
  },
};

compressionRegistry.set(CompressionType.ZSTD, zstdCodec);
// What require() gives is another copy, with a registry of its own.
if (isCommonJs) commonJs()?.compressionRegistry.set(CompressionType.ZSTD, zstdCodec);

export { compressionRegistry };

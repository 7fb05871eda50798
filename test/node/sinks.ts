import type { Sink } from '#dist/encoder/index.js';
import { HEX, type Pieces } from '#dist/encoder/writer.js';

/** Takes requests that are written as a whole. */
export const whole: Sink<Uint8Array> = { whole: bytes => bytes.slice() };

/** Takes requests only in pieces, and puts them together. */
export const pieced: Sink<Uint8Array> = {
  whole: () => {
    throw new Error('the texts were not gathered');
  },
  pieces: assemble,
};

/** What the addon does: see crates/node/src/pieces.rs. */
function assemble({ request, text, gaps }: Pieces): Uint8Array {
  const filled = request.slice();
  const texts = Buffer.from(text).toString('latin1');
  let at = 0;
  for (let i = 0; i < gaps.length; i += 2) {
    const isId = gaps[i + 1]! >= HEX;
    const length = isId ? gaps[i + 1]! - HEX : gaps[i + 1]!;
    const units = isId ? length * 2 : length;
    filled.set(Buffer.from(texts.slice(at, at + units), isId ? 'hex' : 'latin1'), gaps[i]!);
    at += units;
  }
  if (at !== text.length) throw new Error(`${text.length - at} bytes of text belong nowhere`);
  return filled;
}

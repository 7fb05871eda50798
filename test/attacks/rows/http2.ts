/** Rows 23, 27 to 31 and 35: floods of frames, windows that stay closed, and gRPC that is not. */
import { constants } from 'node:http2';
import { type Attack, ensure, expect, tally } from '../attack.js';
import {
  call,
  END_HEADERS,
  END_STREAM,
  type Ended,
  type Flood,
  flood,
  frame,
  GRPC,
  head,
  KIND,
  literal,
  opening,
  prefixed,
  session,
  stream,
} from '../http2.js';
import { EXPORT, message, oneSpan } from '../telemetry.js';
import { within } from '../wait.js';

const { NGHTTP2_ENHANCE_YOUR_CALM: CALM, NGHTTP2_PROTOCOL_ERROR: PROTOCOL } = constants;
/** No client gets as many through. */
const MANY = 100_000;
/** From this scale on, what takes minutes is waited for. */
const LONG = 5;

/** A flood that must end its connection: by GOAWAY with one of these codes, or by a close that overtook it. */
function ends(row: number, name: string, of: (at: number) => Buffer, codes: readonly number[], turns = MANY): Attack {
  return {
    row,
    name,
    async run({ port }) {
      const ended = await flood(port, { next: of, turns });
      check(name, ended, turns, codes);
      return `${ended.goaway === undefined ? 'closed' : `GOAWAY ${ended.goaway}`} within ${ended.sent.toLocaleString('en')}`;
    },
  };
}

function check(name: string, ended: Ended, turns: number, codes: readonly number[]): void {
  ensure(`${name} is ended`, ended.closed && ended.sent < turns, `${ended.sent} turns, GOAWAY ${ended.goaway}`);
  expect(name, ended.goaway, undefined, ...codes);
}

const first = (at: number, then: Buffer) => (at === 0 ? Buffer.concat([opening(0), then]) : then);

/** One entry of 4 KiB in the table of fields, then a head that refers to it a thousand times. */
function bomb(at: number): Buffer {
  const entry = Buffer.concat([Buffer.from([0x40]), literal('x-bomb', 'a'.repeat(3_900)).subarray(1)]);
  const block = [head(EXPORT), entry, ...Array.from({ length: 10_000 }, () => prefixed(62, 7, 0x80))];
  return frame(KIND.headers, END_HEADERS, stream(at), Buffer.concat(block));
}

const FLOODS: readonly Attack[] = [
  ends(23, 'HPACK bomb', bomb, [CALM, PROTOCOL], 2_000),
  ends(27, 'rapid reset', at => Buffer.concat([opening(at), frame(KIND.reset, 0, stream(at), '\0\0\0\x08')]), [CALM]),
  ends(
    28,
    'MadeYouReset by WINDOW_UPDATE of 0',
    at => Buffer.concat([opening(at), frame(KIND.window, 0, stream(at), '\0\0\0\0')]),
    [CALM, PROTOCOL],
  ),
  ends(
    28,
    'MadeYouReset by HEADERS on a stream that is half closed',
    at => Buffer.concat([opening(at, END_HEADERS | END_STREAM), opening(at, END_HEADERS)]),
    [CALM, PROTOCOL, constants.NGHTTP2_STREAM_CLOSED],
  ),
  ends(29, 'CONTINUATION without end, empty', at => (at === 0 ? opening(0, 0) : frame(KIND.continuation, 0, 1)), [
    CALM,
    PROTOCOL,
  ]),
  ends(
    29,
    'CONTINUATION without end, full',
    at => (at === 0 ? opening(0, 0) : frame(KIND.continuation, 0, 1, literal('a', 'b'.repeat(8_000)))),
    [CALM, PROTOCOL, constants.NGHTTP2_COMPRESSION_ERROR],
    20_000,
  ),
  // 0x1f is "a" in Huffman's code with its bits filled up: the shortest that must be decoded.
  ends(
    29,
    'CONTINUATION without end, in Huffman codes',
    at => (at === 0 ? opening(0, 0) : frame(KIND.continuation, 0, 1, Buffer.from('00811f811f'.repeat(1_500), 'hex'))),
    [CALM, PROTOCOL, constants.NGHTTP2_COMPRESSION_ERROR],
    20_000,
  ),
  ends(30, 'PING', () => frame(KIND.ping, 0, 0, '12345678'), [CALM]),
  ends(30, 'SETTINGS', () => frame(KIND.settings, 0, 0), [CALM]),
  ends(30, 'PRIORITY', () => frame(KIND.priority, 0, 3, '\0\0\0\0\x10'), [CALM]),
  ends(30, 'WINDOW_UPDATE', () => frame(KIND.window, 0, 0, '\0\0\0\x01'), [CALM, constants.NGHTTP2_FLOW_CONTROL_ERROR]),
  ends(30, 'empty DATA', at => first(at, frame(KIND.data, 0, 1)), [CALM]),
];

/** Large answers are asked for by a client whose window stays closed. */
const closed: Attack = {
  row: 31,
  name: 'windows that stay closed',
  async run({ port, scale }) {
    const window = Buffer.concat([Buffer.from([0, 4]), Buffer.from([0, 0, 0, 0])]);
    const ask = (at: number) => {
      const block = Buffer.concat([
        Buffer.from([0x82, 0x86]),
        literal(':path', '/metrics'),
        literal(':authority', '127.0.0.1'),
      ]);
      return frame(KIND.headers, END_HEADERS | END_STREAM, stream(at), block);
    };
    const asking: Flood = { settings: window, turns: Math.round(10_000 * scale), next: ask };
    const many = await flood(port, asking);
    const ended = `${many.sent} streams: ${many.closed ? `closed, GOAWAY ${many.goaway ?? 'not seen'}` : 'refused one by one'}`;
    if (scale < LONG) return ended;
    // Those that keep within what a connection may have go with it, when nothing was asked for five minutes.
    const held = await within('streams that nobody reads are given up', stays(port, window, ask), 400_000);
    return `${ended}; 64 that are kept: ${held}`;
  },
};

/** Asks for 64 answers and reads none of them: how the streams end. */
async function stays(port: number, window: Buffer, ask: (at: number) => Buffer): Promise<string> {
  const { open } = await import('../http1.js');
  const socket = open(port);
  const streams = new Set(Array.from({ length: 64 }, (_, at) => stream(at)));
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(KIND.settings, 0, 0, window)]));
  for (let at = 0; at < 64; at += 1) socket.write(ask(at));
  let rest: Buffer = Buffer.alloc(0);
  let resets = 0;
  return new Promise(resolve => {
    socket.on('data', piece => {
      rest = Buffer.concat([rest, Buffer.from(piece)]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        if (rest[3] === KIND.reset && streams.delete(rest.readUInt32BE(5))) resets += 1;
        rest = rest.subarray(9 + rest.readUIntBE(0, 3));
      }
      if (streams.size === 0) {
        socket.destroy();
        resolve(`${resets} were reset`);
      }
    });
    socket.once('close', () => resolve(`closed after ${resets} resets`));
  });
}

const grpc: Attack = {
  row: 35,
  name: 'gRPC that breaks its rules',
  async run({ port }) {
    const client = session(port);
    const span = oneSpan('attack', 'broken-grpc');
    const said: string[] = [];
    const attempt = async (name: string, body: Buffer, more: Record<string, string>, ...allowed: readonly number[]) => {
      const { grpc } = await call(client, { ...GRPC, ...more }, body);
      expect(name, grpc, ...allowed);
      said.push(`${name} ${grpc}`);
    };
    // INVALID_ARGUMENT 3, RESOURCE_EXHAUSTED 8, UNIMPLEMENTED 12, INTERNAL 13.
    await attempt('compressed by nothing', message(span, 1), {}, 3, 12, 13);
    await attempt('an encoding nobody knows', message(span, 1), { 'grpc-encoding': 'br' }, 12);
    await attempt('a flag that is none', message(span, 7), {}, 3, 13);
    await attempt('4 GiB said', message(span, 0, 0xffff_ffff), {}, 8, 3, 13);
    await attempt('cut off', message(span, 0, span.length + 1), {}, 3, 13);
    await attempt('two messages', Buffer.concat([message(span), message(span)]), {}, 3, 12, 13);
    await attempt('bytes after the message', Buffer.concat([message(span), Buffer.from([0])]), {}, 3, 12, 13);
    await attempt('no message', Buffer.alloc(0), {}, 3, 12, 13);
    await attempt('a timeout of a hundred centuries', message(span), { 'grpc-timeout': '99999999H' }, 0);
    await attempt('a timeout that is none', message(span), { 'grpc-timeout': '-1S' }, 0, 3, 13);
    client.destroy();
    return tally(said);
  },
};

export const HTTP2: readonly Attack[] = [...FLOODS, closed, grpc];

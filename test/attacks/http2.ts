/** HTTP/2 as frames: floods that no client library would send, and how the other side ends them. */
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { open } from './http1.js';
import { EXPORT } from './telemetry.js';
import { within } from './wait.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export const KIND = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(kind: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** A field of HPACK without tables and Huffman codes. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([prefixed(bytes.length, 7, 0), bytes]);
}

/** An integer of HPACK behind the bits of its first byte. */
export function prefixed(value: number, bits: number, first: number): Buffer {
  const most = (1 << bits) - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** The head of a POST: method and scheme are of the static table. */
export function head(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const fields = { ':path': path, ':authority': '127.0.0.1', ...more };
  return Buffer.concat([
    Buffer.from([0x83, 0x86]),
    ...Object.entries(fields).map(([name, value]) => literal(name, value)),
  ]);
}

/** A stream's number: those of clients are odd. */
export const stream = (at: number) => 2 * at + 1;

export function opening(at: number, flags = END_HEADERS): Buffer {
  return frame(KIND.headers, flags, stream(at), head(EXPORT, { 'content-type': 'application/grpc', te: 'trailers' }));
}

/** How a connection ended: the code of the last GOAWAY that was not "no error", and how many frames it was told of. */
export interface Ended {
  readonly goaway: number | undefined;
  readonly closed: boolean;
  readonly sent: number;
}

export interface Flood {
  /** The frames of one turn. */
  readonly next: (at: number) => Buffer;
  /** Turns, at most. */
  readonly turns: number;
  /** Bytes before the first turn. */
  readonly settings?: Buffer;
}

/** How long what was sent may take to be read. */
const UNREAD_MS = 10_000;

/** Sends turn after turn, reading what is answered, until the other side has had enough or there are no more. */
export async function flood(port: number, { next, turns, settings = Buffer.alloc(0) }: Flood): Promise<Ended> {
  const socket = open(port);
  const seen = new Frames(socket);
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(KIND.settings, 0, 0, settings)]));
  let sent = 0;
  while (sent < turns && !seen.over) {
    const batch: Buffer[] = [];
    for (const end = Math.min(turns, sent + 100); sent < end; sent += 1) batch.push(next(sent));
    if (!socket.write(Buffer.concat(batch)) && !seen.over) await seen.moved();
  }
  // All that was written may still wait to be read; one that bears all of it stays open.
  if (!seen.over) await within('a flooded connection is closed', seen.closed, UNREAD_MS).catch(() => undefined);
  const ended = { goaway: seen.goaway, closed: seen.over, sent };
  socket.destroy();
  return ended;
}

/** The frames that come, of which only GOAWAY is looked at. */
class Frames {
  over = false;
  goaway: number | undefined;
  readonly closed: Promise<void>;
  #rest = Buffer.alloc(0);

  constructor(private readonly socket: Socket) {
    socket.on('data', piece => this.#take(Buffer.from(piece)));
    this.closed = new Promise(resolve =>
      socket.once('close', () => {
        this.over = true;
        resolve();
      }),
    );
    socket.once('end', () => socket.destroy());
  }

  /** The other side took what was written, or is gone. */
  moved(): Promise<unknown> {
    const drained = new Promise(resolve => this.socket.once('drain', resolve));
    return within('what was written is taken or refused', Promise.race([drained, this.closed]));
  }

  #take(piece: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, piece]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      if (this.#rest[3] === KIND.goaway) this.goaway = this.#rest.readUInt32BE(13) || this.goaway;
      this.#rest = this.#rest.subarray(9 + length);
    }
  }
}

/** An answer of HTTP/2: status, status of gRPC, or the code that the stream was reset with. */
export interface Reply {
  readonly status: number | undefined;
  readonly grpc: number | undefined;
  readonly reset: number;
}

/** A session of the client library of Node.js; its errors are its end. */
export function session(port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`);
  client.on('error', () => undefined);
  return client;
}

/** One call with these bytes for a body. */
export function call(client: ClientHttp2Session, headers: OutgoingHttpHeaders, body: Buffer): Promise<Reply> {
  const answer = new Promise<Reply>(resolve => {
    let [status, grpc]: [number | undefined, number | undefined] = [undefined, undefined];
    const called = client.request({ ':method': 'POST', ...headers });
    const take = (fields: { readonly [name: string]: unknown }) => {
      if (fields[':status'] !== undefined) status = Number(fields[':status']);
      if (fields['grpc-status'] !== undefined) grpc = Number(fields['grpc-status']);
    };
    called.on('response', take);
    called.on('trailers', take);
    called.on('error', () => undefined);
    called.on('data', () => undefined);
    called.once('close', () => resolve({ status, grpc, reset: called.rstCode ?? 0 }));
    called.end(body);
  });
  return within('a call over HTTP/2 is answered', answer);
}

export const GRPC = { ':path': EXPORT, 'content-type': 'application/grpc', te: 'trailers' } as const;

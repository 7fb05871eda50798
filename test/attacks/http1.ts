/** HTTP/1.1 as bytes: what no client library would send, and everything that comes back. */
import { connect, type Socket } from 'node:net';
import { LATE, within } from './wait.js';

/** What came back until the other side closed. */
export interface Answered {
  readonly text: string;
  /** Statuses of the answers, in order. */
  readonly statuses: readonly number[];
}

export function answered(text: string): Answered {
  return { text, statuses: [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(found => Number(found[1])) };
}

/** Sends bytes and reads until the other side closes; `Connection: close` is the sender's business. */
export async function throwBytes(port: number, ...pieces: readonly (Buffer | string)[]): Promise<Answered> {
  const socket = open(port);
  for (const piece of pieces) socket.write(piece);
  return answered(await within('the connection is closed', toTheEnd(socket)));
}

/** A connection whose errors are its end. */
export function open(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  return socket;
}

/** All that comes until the end, however it ends. */
export function toTheEnd(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => (text += piece));
    socket.once('close', () => resolve(text));
    socket.once('end', () => socket.destroy());
    if (socket.destroyed) resolve(text);
  });
}

/** Sends pieces, a pause between each, until the other side has had enough; `undefined` where it never has. */
export async function dribble(socket: Socket, pieces: () => Buffer | string, every: number): Promise<string> {
  const timer = setInterval(() => socket.write(pieces()), every);
  try {
    return await within('a connection that is slow is closed', toTheEnd(socket), LATE);
  } finally {
    clearInterval(timer);
    socket.destroy();
  }
}

export interface Post {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

/** A complete request as text, with its body and its end. */
export function post(body: Buffer, { path = '/v1/traces', headers = {}, method = 'POST' }: Post = {}): Buffer {
  const all = { Host: '127.0.0.1', 'Content-Type': 'application/x-protobuf', Connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

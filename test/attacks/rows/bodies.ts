/** Rows 26, 32 and 33: requests without number, bombs, and protobuf and JSON that are not. */
import { Agent, request } from 'node:http';
import { promisify } from 'node:util';
import { createGzip, deflate, gzip, gzipSync } from 'node:zlib';
import { type Attack, ensure, expect, kept, tally } from '../attack.js';
import { post, throwBytes } from '../http1.js';
import { call, GRPC, session } from '../http2.js';
import { field, message, oneSpan, PROTOBUF, TRACES, varint } from '../telemetry.js';
import { within } from '../wait.js';

const MIB = 1 << 20;

/** One request over a connection of an agent: its status. */
function ask(agent: Agent, port: number, body: Buffer): Promise<number> {
  const headers = { 'content-type': PROTOBUF, 'content-length': body.length };
  const answer = new Promise<number>((resolve, reject) => {
    const sent = request({ agent, port, host: '127.0.0.1', method: 'POST', path: TRACES, headers }, reply => {
      reply.resume();
      reply.once('end', () => resolve(reply.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end(body);
  });
  return within('one of many requests is answered', answer);
}

const tiny: Attack = {
  row: 26,
  name: 'tiny requests without number',
  async run({ port, scale }) {
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const [ones, none] = [Math.round(6_000 * scale), Math.round(2_000 * scale)];
    const body = oneSpan('attack', 'tiny');
    const answers: number[] = [];
    try {
      let left = ones + none;
      const sender = async () => {
        while (left > 0) {
          left -= 1;
          answers.push(await ask(agent, port, left < none ? Buffer.alloc(0) : body));
        }
      };
      await Promise.all(Array.from({ length: 32 }, sender));
    } finally {
      agent.destroy();
    }
    for (const answer of answers) expect('a tiny request', answer, 200, 429, 503);
    return `${ones} of one span, ${none} of none: ${tally(answers)}`;
  },
};

/** `gzip` of so many bytes of nothing, made without having them. */
function zeros(bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const [squeeze, pieces] = [createGzip({ level: 9 }), [] as Buffer[]];
    squeeze.on('data', piece => pieces.push(piece));
    squeeze.once('error', reject);
    squeeze.once('end', () => resolve(Buffer.concat(pieces)));
    let left = bytes;
    const [piece, more] = [
      Buffer.alloc(MIB),
      () => {
        while (left > 0) {
          left -= MIB;
          if (!squeeze.write(piece)) return squeeze.once('drain', more);
        }
        return squeeze.end();
      },
    ];
    more();
  });
}

/** A frame of zstd that repeats one byte in blocks of 128 KiB: 4 bytes each. */
function repeated(bytes: number, windowLog: number): Buffer {
  const count = Math.ceil(bytes / (128 << 10));
  const blocks = Buffer.alloc(count * 4);
  for (let at = 0; at < count; at += 1) {
    blocks.writeUIntLE(((128 << 10) << 3) | (1 << 1) | (at === count - 1 ? 1 : 0), at * 4, 3);
  }
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3]), blocks]);
}

const bombs: Attack = {
  row: 32,
  name: 'bodies that grow when they are opened',
  async run({ port, scale }) {
    const said: string[] = [];
    const attempt = async (name: string, encoding: string, body: Buffer, ...allowed: readonly string[]) => {
      const { statuses } = await throwBytes(port, post(body, { headers: { 'Content-Encoding': encoding } }));
      expect(name, tally(statuses), ...allowed);
      said.push(`${name} ${tally(statuses)}`);
    };
    const large = await zeros(Math.round(512 * scale) * MIB);
    await attempt('gzip', 'gzip', large, '413', '400');
    await attempt('gzip in gzip', 'gzip', await promisify(gzip)(large), '413', '400');
    await attempt('gzip twice', 'gzip, gzip', gzipSync(large), '400', '415');
    await attempt(
      '10,000 members of gzip',
      'gzip',
      Buffer.concat(Array.from({ length: 10_000 }, () => gzipSync('\x0a\0'))),
      '200',
      '400',
    );
    await attempt('deflate', 'deflate', await promisify(deflate)(Buffer.alloc(256 * MIB)), '413', '400');
    await attempt('zstd of 10 GiB', 'zstd', repeated(10 * 1024 * MIB, 17), '413', '400');
    await attempt('zstd with a window of 2 GiB', 'zstd', repeated(128 * MIB, 31), '413', '400');
    await attempt(
      'snappy that says 4 GiB',
      'snappy',
      Buffer.concat([varint(0xffff_ffff), Buffer.from([0, 0])]),
      '400',
      '413',
      '415',
    );
    await attempt('nothing known', 'br', Buffer.from([0]), '415', '400');
    const client = session(port);
    const { grpc } = await call(client, { ...GRPC, 'grpc-encoding': 'gzip' }, message(large, 1));
    client.destroy();
    expect('gzip by gRPC', grpc, 3, 8);
    return `${said.join(', ')}, gzip by gRPC ${grpc}`;
  },
};

function nested(levels: number): Buffer {
  let value = field(1, 'deep');
  for (let at = 0; at < levels; at += 1) value = field(5, field(1, value));
  const span = Buffer.concat([
    field(1, Buffer.alloc(16, 7)),
    field(2, Buffer.alloc(8, 7)),
    field(5, 'too-deep'),
    field(9, Buffer.concat([field(1, 'a'), field(2, value)])),
  ]);
  return field(1, field(2, field(2, span)));
}

const malformed: Attack = {
  row: 33,
  name: 'protobuf that is not',
  async run({ port }) {
    const said: string[] = [];
    const attempt = async (name: string, body: Buffer, ...allowed: readonly string[]) => {
      const { statuses } = await throwBytes(port, post(body));
      expect(name, tally(statuses), ...allowed);
      said.push(`${name} ${tally(statuses)}`);
    };
    await attempt('a length beyond the end', Buffer.from('0affffffff0f', 'hex'), '400');
    await attempt('a length of 64 bits', Buffer.from('0affffffffffffffffff01', 'hex'), '400');
    await attempt('a varint without end', Buffer.alloc(1_000, 0xff), '400');
    await attempt('field 0', Buffer.from('0200', 'hex'), '400');
    await attempt('a field beyond 2^29', Buffer.concat([varint(2 ** 35), Buffer.from([0])]), '400');
    await attempt('a group without end', Buffer.from('0b'.repeat(100_000), 'hex'), '400');
    // Refused as one record of a request that is good otherwise: a partial success.
    await attempt('1,000 levels', nested(1_000), '200');
    ensure('what is too deep is not kept', (await kept(port, 'too-deep')) === 0);
    await attempt(
      '31 million empty parts',
      Buffer.alloc(62_000_000, Buffer.from('0a00', 'hex')),
      '200',
      '400',
      '413',
      '429',
      '503',
    );
    const span = Buffer.concat([field(1, Buffer.alloc(16, 7)), field(2, Buffer.alloc(8, 7))]);
    const spans = Buffer.alloc(Math.floor((60 * MIB) / 30) * 30, field(2, span));
    await attempt('2 million spans', field(1, field(2, spans)), '200', '400', '413', '429', '503');
    await attempt(
      'no UTF-8',
      field(1, field(2, field(2, Buffer.concat([span, field(5, Buffer.from([0xff, 0xfe]))])))),
      '200',
      '400',
    );
    return said.join(', ');
  },
};

const json: Attack = {
  row: 33,
  name: 'JSON that is not',
  async run({ port }) {
    const said: string[] = [];
    const attempt = async (name: string, body: Buffer | string, ...allowed: readonly string[]) => {
      const headers = { 'Content-Type': 'application/json' };
      const { statuses } = await throwBytes(port, post(Buffer.from(body), { headers }));
      expect(name, tally(statuses), ...allowed);
      said.push(`${name} ${tally(statuses)}`);
    };
    await attempt('a million brackets', '['.repeat(1_000_000), '400');
    await attempt('a million braces', '{"a":'.repeat(1_000_000), '400');
    const value = (levels: number) => `${'{"arrayValue":{"values":['.repeat(levels)}{}${']}}'.repeat(levels)}`;
    const span = (more: string) =>
      `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${'07'.repeat(16)}","spanId":"${'07'.repeat(8)}","name":"broken-json"${more}}]}]}]}`;
    await attempt('1,000 levels', span(`,"attributes":[{"key":"a","value":${value(1_000)}}]`), '200', '400');
    await attempt('a number of 10 MB', span(`,"startTimeUnixNano":${'1'.repeat(10_000_000)}`), '200', '400');
    await attempt('the same key twice', span(',"kind":1,"kind":2'), '200', '400');
    await attempt(
      'no UTF-8',
      Buffer.concat([Buffer.from('{"resourceSpans":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      '400',
    );
    await attempt('half a pair', span(',"traceState":"\\ud800"'), '200', '400');
    await attempt('cut off', span('').slice(0, -3), '400');
    ensure('nothing is kept of what was refused', (await kept(port, 'broken-json')) <= 2);
    return said.join(', ');
  },
};

export const BODIES: readonly Attack[] = [tiny, bombs, malformed, json];

/** Rows 18 to 25 and 34: paths, heads, lengths and slowness of HTTP/1.1. */
import { type Attack, ensure, expect, kept, tally } from '../attack.js';
import { type Answered, answered, dribble, open, post, throwBytes, toTheEnd } from '../http1.js';
import { call, session } from '../http2.js';
import { exported } from '../neighbour.js';
import { TIMEOUT } from '../service.js';
import { EXPORT, message, oneSpan } from '../telemetry.js';
import { until, within } from '../wait.js';

const HOST = 'Host: 127.0.0.1\r\n';
const TYPE = 'Content-Type: application/x-protobuf\r\n';
/** What must not be seen behind a request that is wrong. */
const SECOND = `GET /healthz HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;

const tls: Attack = {
  row: 13,
  name: 'TLS to a port of plain text',
  async run({ port }) {
    const hello = Buffer.from('16030100310100002d0303', 'hex');
    const { text, statuses } = await throwBytes(port, Buffer.concat([hello, Buffer.alloc(38, 7)]), '\r\n\r\n');
    ensure('it is closed with at most one line of HTTP', statuses.length === 0 || tally(statuses) === '400', text);
    return statuses.length === 0 ? 'closed' : '400';
  },
};

const paths: Attack = {
  row: 20,
  name: 'path tricks',
  async run({ port }) {
    const body = oneSpan('attack', 'path-trick');
    const tricks = [
      '/v1/traces/../logs',
      '/v1/../v1/traces',
      '//v1/traces',
      '/v1//traces',
      '/v1/traces%2f',
      '/v1/traces%00',
      '/V1/traces',
      '/v1/traces/',
      '/v1/traces;x=1',
      '/v1/%74races',
      '/v1/traces%2e',
      '/./v1/traces',
      '/v1\\traces',
      '/v1/traces/..%2flogs',
    ];
    const answers: number[] = [];
    for (const path of tricks) {
      const { statuses } = await throwBytes(port, post(body, { path }));
      expect(path, tally(statuses), '404', '400');
      answers.push(statuses[0]!);
    }
    const client = session(port);
    for (const path of [EXPORT.slice(1), `/${EXPORT}`, `${EXPORT}/`, EXPORT.toLowerCase(), `${EXPORT}%20`]) {
      const headers = { ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
      const { status, grpc, reset } = await call(client, headers, message(body));
      // UNIMPLEMENTED, 404 and 400 of HTTP, or PROTOCOL_ERROR of a path that is none.
      ensure(
        `${path} is no method`,
        grpc === 12 || status === 404 || status === 400 || reset === 1,
        `${status} ${grpc}`,
      );
    }
    client.destroy();
    ensure('nothing of it is kept', (await kept(port, 'path-trick')) === 0);
    // A URI in its absolute form names the same route and no other, whatever host it says.
    const absolute = await throwBytes(port, post(body, { path: `http://127.0.0.1:${port}/v1/logs/../traces` }));
    expect('absolute form with a trick', tally(absolute.statuses), '404', '400');
    return `${tally(answers)}; by gRPC no method`;
  },
};

const files: Attack = {
  row: 20,
  name: 'paths to files, by every route that takes one',
  async run({ port }) {
    const up = [
      '../../../../etc/passwd',
      '..%2f..%2f..%2fetc%2fpasswd',
      '%2e%2e/%2e%2e/etc/passwd',
      '....//....//etc/passwd',
      '%00/etc/passwd',
    ];
    const roots = ['/', '/assets/', '/api/v1/', '/api/v1/traces/', '/api/v1/files/', '/mcp/', '/trace/'];
    const answers: number[] = [];
    for (const path of roots.flatMap(root => up.map(one => root + one))) {
      const { text, statuses } = await throwBytes(port, `GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
      ensure(`${path} reads no file`, !text.includes('root:x:'), text);
      ensure(
        `${path} is answered once, and not by a failure of ours`,
        statuses.length === 1 && statuses[0]! < 500,
        text,
      );
      answers.push(statuses[0]!);
    }
    return tally(answers);
  },
};

const smuggling: Attack = {
  row: 21,
  name: 'header smuggling',
  async run({ port }) {
    const start = `POST /v1/traces HTTP/1.1\r\n${HOST}${TYPE}`;
    const tricks: Readonly<Record<string, string>> = {
      'both lengths': `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'both lengths, turned round': `${start}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
      'two lengths': `${start}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`,
      'two lengths in one': `${start}Content-Length: 0, 5\r\n\r\n`,
      'a length with a sign': `${start}Content-Length: +0\r\n\r\n`,
      'a length below nothing': `${start}Content-Length: -1\r\n\r\n`,
      'a length beyond 64 bits': `${start}Content-Length: 99999999999999999999999\r\n\r\n`,
      'an encoding that is none': `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      'an encoding in disguise': `${start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      'a space before the colon': `${start}Content-Length : 0\r\n\r\n`,
      'a folded line': `${start}X-Folded: a\r\n Content-Length: 9\r\n\r\n`,
      'NUL in a value': `${start}X-Nul: a\0b\r\n\r\n`,
      'a bare CR in a value': `${start}X-Cr: a\rContent-Length: 9\r\n\r\n`,
      'NUL in a name': `${start}X\0Y: a\r\n\r\n`,
      'chunk size that is none': `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`,
      'chunk size beyond 64 bits': `${start}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n`,
    };
    for (const [name, trick] of Object.entries(tricks)) {
      const { text, statuses } = await throwBytes(port, trick + SECOND);
      // RFC 9112, 6.3: with both lengths the chunks count and the connection ends, which hyper does.
      expect(name, tally(statuses), '400', '', ...(name.startsWith('both lengths') ? ['200'] : []));
      ensure(
        `${name}: nothing of the second request is seen`,
        !text.includes('"status"') && statuses.length <= 1,
        text,
      );
    }
    return `${Object.keys(tricks).length} of them: 400 and closed`;
  },
};

const versions: Attack = {
  row: 22,
  name: 'old versions, Upgrade, CONNECT, TRACE',
  async run({ port }) {
    const said: string[] = [];
    const attempt = async (name: string, bytes: string, ...allowed: readonly string[]) => {
      const { text, statuses } = await throwBytes(port, bytes);
      expect(name, tally(statuses), ...allowed);
      said.push(`${name} ${tally(statuses) || 'closed'}`);
      return text;
    };
    const chunked = `POST /v1/traces HTTP/1.0\r\n${TYPE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    await attempt('HTTP/1.0 with chunks', chunked + SECOND, '400', '');
    const upgrade = `GET /healthz HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`;
    await attempt('Upgrade', upgrade, '200');
    await attempt('CONNECT', `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, '400', '404', '405');
    const trace = await attempt(
      'TRACE',
      `TRACE /v1/traces HTTP/1.1\r\n${HOST}X-Own: own\r\nConnection: close\r\n\r\n`,
      '405',
      '404',
    );
    ensure('TRACE gives nothing back', !trace.includes('X-Own'), trace);
    await attempt('HTTP/9.9', `GET /healthz HTTP/9.9\r\n${HOST}\r\n`, '400', '505', '');
    await attempt('no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', '200', '400');
    return said.join(', ');
  },
};

const heads: Attack = {
  row: 23,
  name: 'heads without end',
  async run({ port }) {
    const start = `GET /healthz HTTP/1.1\r\n${HOST}`;
    const many = await throwBytes(port, start + 'a: 123456\r\n'.repeat(10_000), '\r\n');
    expect('10,000 headers', tally(many.statuses), '431', '400', '');
    const large = await throwBytes(port, `${start}a: ${'a'.repeat(1 << 20)}\r\n\r\n`);
    expect('a header of 1 MiB', tally(large.statuses), '431', '400', '');
    const path = await throwBytes(port, `GET /${'a'.repeat(1 << 20)} HTTP/1.1\r\n${HOST}\r\n`);
    expect('a path of 1 MiB', tally(path.statuses), '414', '431', '400', '');
    return [many, large, path].map(({ statuses }) => tally(statuses) || 'closed').join(', ');
  },
};

const slow: Attack = {
  row: 24,
  name: 'slow heads, slow bodies, slow reading',
  async run({ port, scale }) {
    const [count, every] = [Math.round(60 * scale), TIMEOUT / 10];
    const start = `POST /v1/traces HTTP/1.1\r\n${HOST}${TYPE}`;
    const kinds = [
      () => ({ first: start, again: 'X-A: b\r\n' }),
      () => ({ first: `${start}Content-Length: 100000\r\n\r\n`, again: 'a' }),
      () => ({ first: `${start}Transfer-Encoding: chunked\r\n\r\n`, again: '1\r\na\r\n' }),
      () => ({ first: `GET /healthz HTTP/1.1\r\n${HOST}Range: bytes=${'0-1,'.repeat(100)}\r\n`, again: 'X-A: b\r\n' }),
    ];
    const ends = Array.from({ length: count }, async (_, at) => {
      const { first, again } = kinds[at % kinds.length]!();
      const socket = open(port);
      socket.write(first);
      return answered(await dribble(socket, () => again, every)).statuses.join() || 'closed';
    });
    const answers = await Promise.all(ends);
    for (const answer of answers) expect('a request that is slow', answer, '503', '408', '400', '431', 'closed');
    return tally(answers);
  },
};

const crowd: Attack = {
  row: 25,
  name: 'idle connections, and some that send a byte now and then',
  async run({ port, scale }) {
    const count = Math.round(1_500 * scale);
    const sockets = Array.from({ length: count }, () => open(port));
    const timer = setInterval(() => {
      for (let at = 0; at < sockets.length; at += 10) sockets[at]!.write('G');
    }, 500);
    try {
      // New clients come in meanwhile, each with a connection of its own.
      for (let at = 0; at < 20; at += 1) await within('a client that is new is served', exported(port));
      const open = sockets.filter(socket => !socket.destroyed).length;
      return `20 new clients served beside ${count}, of which ${open} were left open`;
    } finally {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    }
  },
};

const lengths: Attack = {
  row: 34,
  name: 'bodies that are not as long as said',
  async run({ port }) {
    const body = oneSpan('attack', 'wrong-length');
    const start = `POST /v1/traces HTTP/1.1\r\n${HOST}${TYPE}`;
    const shorter = open(port);
    shorter.write(`${start}Content-Length: ${body.length + 10}\r\n\r\n`);
    shorter.write(body);
    const short = answered(await within('a body that ends early is given up', toTheEnd(shorter)));
    // 503 is what exporters try again; they do not at 408.
    expect('smaller than said', tally(short.statuses), '503', '408', '400', '');
    const half = open(port);
    half.write(`${start}Content-Length: ${body.length + 10}\r\n\r\n`);
    half.end(body);
    const cut = answered(await within('a body whose sender is gone is given up', toTheEnd(half)));
    expect('cut off', tally(cut.statuses), '503', '408', '400', '');
    ensure('nothing of it is kept', (await kept(port, 'wrong-length')) === 0);
    const head = `${start}Transfer-Encoding: chunked\r\n\r\n`;
    const endless = await chunks(
      port,
      head,
      Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]),
      2_000,
    );
    expect('chunks without end', tally(endless.statuses), '413', '');
    const extension = await chunks(port, head, Buffer.from(`1;${'a'.repeat(16_000)}\r\na\r\n`), 2_000);
    expect('extensions of chunks', tally(extension.statuses), '413', '400', '503', '');
    const trailers = await throwBytes(port, `${head}0\r\nX-T: ${'a'.repeat(1 << 20)}\r\n\r\n`);
    expect('trailers of 1 MiB', tally(trailers.statuses), '400', '431', '413', '');
    return [short, cut, endless, extension, trailers].map(({ statuses }) => tally(statuses) || 'closed').join(', ');
  },
};

/** Sends chunk after chunk until the other side has had enough, or there were so many. */
async function chunks(port: number, head: string, chunk: Buffer, most: number): Promise<Answered> {
  const socket = open(port);
  const end = toTheEnd(socket);
  socket.write(head);
  for (let at = 0; at < most && !socket.destroyed; at += 1) {
    if (socket.write(chunk)) continue;
    let moved = false;
    socket.once('drain', () => (moved = true));
    await until('chunks are taken or refused', () => moved || socket.destroyed);
  }
  return answered(await within('chunks without end are given up', end));
}

export const HTTP1: readonly Attack[] = [tls, paths, files, smuggling, versions, heads, slow, crowd, lengths];

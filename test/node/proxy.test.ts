/**
 * Real proxies that nobody here wrote, between a recorder that forwards and one that listens: `proxy-chain`, which knows the
 * destination's name alone, by the variables; and `proxy`, by the key. What they refuse is told as theirs.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createProxy } from 'proxy';
import { Server } from 'proxy-chain';
import { expect, onTestFinished, test, vi } from 'vitest';
import { node } from './children.js';
import { directory, open } from './support.js';

const cli = fileURLToPath(new URL('../../ts/dist/cli.js', import.meta.url));
const PROTOCOLS = ['otlp_http', 'otlp_grpc'] as const;
const WAIT = { timeout: 20_000, interval: 50 };

const body = JSON.stringify({
  resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'one' } }, { body: { stringValue: 'two' } }] }] }],
});

async function send(address: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${address}/v1/logs`, { method: 'POST', headers, body });
  expect(response.status).toBe(200);
}

/** The recorder at the other end, and its port. */
async function destination() {
  const library = await open({ listen: { http: '127.0.0.1:0' } });
  const rows = async () => (await library.read('logs')).numRows;
  return { rows, port: Number(library.addresses().http!.split(':')[1]) };
}

test.each(PROTOCOLS)('by the variables, with a name that the proxy alone knows: %s', async protocol => {
  const { rows, port } = await destination();
  const asked: string[] = [];
  const proxy = new Server({
    host: '127.0.0.1',
    port: 0,
    prepareRequestFunction: ({ hostname, username, password, isHttp }) => {
      asked.push(`${isHttp ? 'request' : 'tunnel'} ${hostname} ${username} ${password}`);
      const found = { address: '127.0.0.1', family: 4 };
      const loopback = (_name: string, options: { all?: boolean }, done: (...answer: unknown[]) => void) =>
        options.all === true ? done(null, [found]) : done(null, found.address, found.family);
      return { requestAuthentication: password !== 'p@ss', dnsLookup: loopback as never };
    },
  });
  await proxy.listen();
  onTestFinished(() => proxy.close(true));

  const forward = { endpoint: `http://collector.internal.test:${port}`, protocol };
  let sent: Promise<void> | undefined;
  let output = '';
  const ended = await node(
    [cli, 'serve', '--grpc', 'off', '--http', '127.0.0.1:0', '--set', `forward=${JSON.stringify(forward)}`],
    {
      cwd: directory(),
      env: { OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B', HTTP_PROXY: `http://us%65r:p%40ss@127.0.0.1:${proxy.port}` },
      onAny: (text, child) => {
        output += text;
        const address = /listening on (http:\/\/[0-9.:]+)[^\n]*\n/.exec(output)?.[1];
        if (!address || sent) return;
        sent = send(address)
          .then(() => vi.waitUntil(async () => (await rows()) === 2, WAIT))
          .then(() => undefined)
          .finally(() => child.kill('SIGTERM'));
      },
    },
  );
  await sent;
  expect(ended.code, ended.stderr).toBe(0);
  const way = protocol === 'otlp_http' ? 'request' : 'tunnel';
  expect(new Set(asked)).toEqual(new Set([`${way} collector.internal.test user p@ss`]));
});

test.each(PROTOCOLS)('by the key, and refused until the password is right: %s', async protocol => {
  const { rows, port } = await destination();
  const server = createServer();
  const proxy = createProxy(server);
  let right = false;
  proxy.authenticate = () => right;
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}`;
  const library = await open({
    listen: { http: '127.0.0.1:0' },
    forward: { endpoint: `http://127.0.0.1:${port}`, protocol, proxy: url, retry: { initial: '50ms', max: '200ms' } },
  });
  await send(`http://${library.addresses().http}`);
  const info = () => library.forwarders()[0]!.info();
  await vi.waitUntil(() => info().lastError !== undefined && info().lastError !== null, WAIT);
  expect(info().lastError).toMatch(/the proxy http:\/\/127\.0\.0\.1:\d+ .*407.*forward\.proxy\.username/);
  expect(info().lastError).not.toContain('secret');
  expect(info().lagRecords).toBe(2);
  right = true;
  await vi.waitUntil(async () => (await rows()) === 2, WAIT);
  expect(info().rejectedRequests).toBe(0);
});

test('a destination that the proxy cannot reach is away, and told so', async () => {
  const proxy = new Server({ host: '127.0.0.1', port: 0 });
  await proxy.listen();
  onTestFinished(() => proxy.close(true));
  for (const protocol of PROTOCOLS) {
    const library = await open({
      listen: { http: '127.0.0.1:0' },
      forward: { endpoint: 'http://127.0.0.1:1', protocol, proxy: `http://127.0.0.1:${proxy.port}` },
    });
    await send(`http://${library.addresses().http}`);
    const info = () => library.forwarders()[0]!.info();
    await vi.waitUntil(() => typeof info().lastError === 'string', WAIT);
    expect(info().lastError).toMatch(/proxy http:\/\/127\.0\.0\.1/);
    expect(info()).toMatchObject({ lagRecords: 2, rejectedRequests: 0 });
  }
});

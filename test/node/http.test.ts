/** Questions over HTTP to a library that listens: as Node's own fetch asks them, and as docs/query.md has them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { tableFromIPC } from 'apache-arrow';
import { OtlpLibrary } from 'otlp-arrow';
import { expect, onTestFinished, test, vi } from 'vitest';
import { read } from './markdown.js';
import { directory, open } from './support.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const value = (text: string) => ({ stringValue: text });
const attribute = (key: string, text: string) => ({ key, value: value(text) });

/** Sends one OTLP/JSON request of each signal over the same listener: what the documented questions are about. */
async function record(address: string): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const at = (seconds: number) => `${now - BigInt(seconds) * 1_000_000_000n}`;
  const resource = { attributes: [attribute('service.name', 'checkout')] };
  const span = (id: string, parent: string | undefined, name: string, seconds: number, failed: boolean) => ({
    traceId: TRACE,
    spanId: id,
    ...(parent === undefined ? {} : { parentSpanId: parent }),
    name,
    kind: 2,
    startTimeUnixNano: at(seconds),
    endTimeUnixNano: at(seconds - 1),
    attributes: [attribute('http.route', '/cart')],
    ...(failed ? { status: { code: 2 } } : {}),
    events: failed
      ? [
          {
            name: 'exception',
            timeUnixNano: at(seconds),
            attributes: [attribute('exception.type', 'Timeout'), attribute('exception.message', 'after 5 s')],
          },
        ]
      : [],
  });
  const spans = [
    span(SPAN, undefined, 'GET /cart', 20, true),
    span('00f067aa0ba902b8', SPAN, 'SELECT items', 19, false),
    { ...span('00f067aa0ba902b9', undefined, 'GET /', 5400, false), traceId: TRACE.replace('4bf9', '5bf9') },
  ];
  const logRecords = [
    { timeUnixNano: at(20), severityNumber: 17, body: value('timeout after 5 s'), traceId: TRACE, spanId: SPAN },
  ];
  const dataPoints = [
    {
      startTimeUnixNano: at(60),
      timeUnixNano: at(10),
      count: '3',
      sum: 0.6,
      bucketCounts: ['1', '2'],
      explicitBounds: [1],
    },
  ];
  const metrics = [
    { name: 'http.server.request.duration', unit: 's', histogram: { aggregationTemporality: 2, dataPoints } },
  ];
  const requests = {
    traces: { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] },
    logs: { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] },
    metrics: { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] },
  };
  for (const [signal, request] of Object.entries(requests)) {
    const sent = await fetch(`http://${address}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    expect(sent.status).toBe(200);
  }
}

async function listening(): Promise<{ library: OtlpLibrary; address: string }> {
  const library = await open({ listen: { http: '127.0.0.1:0' } });
  const address = library.addresses().http!;
  await record(address);
  return { library, address };
}

test('fetch reads JSON, Arrow and what has not changed', async () => {
  const { address } = await listening();
  const url = `http://${address}/api/v1/spans?service=checkout&order=oldest`;
  const json = await fetch(url);
  const tag = json.headers.get('etag')!;
  const answer = (await json.json()) as { spans: { name: string }[]; searched: { complete: boolean } };
  expect(answer.spans.map(({ name }) => name)).toEqual(['GET /', 'GET /cart', 'SELECT items']);
  expect(answer.searched.complete).toBe(true);
  const arrow = await fetch(url, { headers: { accept: 'application/vnd.apache.arrow.stream' } });
  const table = tableFromIPC(new Uint8Array(await arrow.arrayBuffer()));
  expect([...table.getChild('name')!]).toEqual(['GET /', 'GET /cart', 'SELECT items']);
  const again = await fetch(url, { headers: { 'if-none-match': tag } });
  expect(again.status).toBe(304);
  const refused = await fetch(`http://${address}/api/v1/spans?servce=checkout`);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('service?') });
});

test('a page of another origin, and one that points its name here, get nothing', async () => {
  const { address } = await listening();
  const foreign = await fetch(`http://${address}/api/v1/services`, { headers: { origin: 'http://evil.example' } });
  expect(foreign.status).toBe(403);
  const named = await promisify(execFile)('curl', [
    '-s',
    '--resolve',
    `rebound.example:${address.split(':')[1]}:127.0.0.1`,
    `http://rebound.example:${address.split(':')[1]}/api/v1/services`,
  ]);
  expect(JSON.parse(named.stdout)).toMatchObject({ code: 'FORBIDDEN' });
});

test('a tail is a stream of events that fetch reads as they come', async () => {
  const { address } = await listening();
  const ended = new AbortController();
  onTestFinished(() => ended.abort());
  const tail = await fetch(`http://${address}/api/v1/tail/logs`, { signal: ended.signal });
  expect(tail.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of tail.body!) text += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch(() => undefined);
  await vi.waitUntil(() => text.includes('event: open'), 30_000);
  await record(address);
  await vi.waitUntil(() => text.includes('timeout after 5 s'), 30_000);
  expect(text).toMatch(/event: logs\nid: \S+\ndata: \{"logs":\[/);
});

test('a destination is paused from outside', async () => {
  const library = await open({
    listen: { http: '127.0.0.1:0' },
    forward: { name: 'far', endpoint: 'http://127.0.0.1:9' },
  });
  const path = `http://${library.addresses().http!}/api/v1/recorder/destinations/far/pause`;
  const form = await fetch(path, { method: 'POST', body: new URLSearchParams({ a: '1' }) });
  expect(form.status).toBe(415);
  const paused = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' } });
  expect(await paused.json()).toMatchObject({ destination: { name: 'far', paused: true } });
});

test('it can be switched off', async () => {
  const library = await open({ listen: { http: '127.0.0.1:0' }, protocols: { api: false } });
  const off = await fetch(`http://${library.addresses().http!}/api/v1/services`);
  expect(off.status).toBe(404);
  expect(await off.text()).toContain('protocols.api');
});

test('the dashboard is off until somebody wants it, and needs something to be listened on', async () => {
  const without = await open({ listen: { http: '127.0.0.1:0' } });
  const off = await fetch(`http://${without.addresses().http!}/`);
  expect([off.status, (await off.text()).includes('dashboard')]).toEqual([404, true]);
  const library = await open({ listen: { http: '127.0.0.1:0' }, dashboard: true });
  const page = await fetch(`http://${library.addresses().http!}/ui/traces`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  // The addon is built with the pages in it.
  expect(await page.text()).toMatch(/<script type="module" src="\/assets\/app-\w+\.js">/);
  await expect(open({ dashboard: true })).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: expect.stringContaining('listen: true'),
  });
});

test('the commands of docs/query.md work as written', async () => {
  const { address } = await listening();
  const blocks = read('docs/query.md').replaceAll('\r\n', '\n').split('<!-- test: http -->\n```sh\n').slice(1);
  const commands = blocks.flatMap(block => block.split('```')[0]!.trim().split('\n'));
  expect(commands.length).toBeGreaterThan(20);
  for (const command of commands) {
    expect(command).toContain('http://localhost:4318/api/v1/');
    const mine = command
      .replace('http://localhost:4318', `http://${address}`)
      .replace('curl ', 'curl -sS -w "\\n%{http_code}" ');
    const { stdout } = await promisify(execFile)('sh', ['-c', mine]);
    const [status, ...body] = stdout.split('\n').reverse();
    const text = body.reverse().join('\n');
    expect(status, `${command}: ${text}`).toBe('200');
    if (command.includes('format=text')) {
      expect(text).toContain('GET /cart');
      continue;
    }
    // Each is about something that is there.
    const answer = JSON.parse(text) as Record<string, unknown>;
    const found = Object.entries(answer).some(([name, list]) =>
      name === 'span' ? list !== null : Array.isArray(list) && list.length > 0,
    );
    // Nobody calls anybody, and one failure tells nothing of others.
    const empty = /services\/map|recorder/.test(command) || answer.selected === 1;
    expect(found || empty, `${command}: ${text}`).toBe(true);
  }
}, 120_000);

test('a library without a listener answers nobody', async () => {
  const library = await OtlpLibrary.open({ outputDir: directory(), storage: { minFreeBytes: '0B' } });
  expect(library.addresses().http).toBeUndefined();
  await library.shutdown();
});

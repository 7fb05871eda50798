/** The tools for coding agents, asked by the clients that agents are made of: both eras of the protocol, both ways in. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expect, onTestFinished, test } from 'vitest';
import { fixture, node } from './children.js';
import { directory, open } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = join(root, 'ts/dist/cli.js');
const WHO = { name: 'otlp-arrow-test', version: '1' };
const TOOLS = [
  'overview',
  'search_traces',
  'get_trace',
  'get_spans',
  'search_logs',
  'errors',
  'query_metric',
  'compare',
  'wait_for',
];

/** What all of the clients can do. */
interface Asked {
  tools(): Promise<readonly string[]>;
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<string>;
  version(): string | undefined;
  resource(uri: string): Promise<string>;
  prompt(name: string, args: Record<string, string>): Promise<string>;
}

interface Content {
  readonly content?: unknown;
  readonly isError?: unknown;
}

function text(result: Content): string {
  const [first] = result.content as readonly { type: string; text: string }[];
  expect(first?.type).toBe('text');
  return result.isError === true ? `error: ${first!.text}` : first!.text;
}

const read = (result: { contents: readonly object[] }) => (result.contents[0] as { text: string }).text;
const said = (result: { messages: readonly { content: unknown }[] }) =>
  (result.messages[0]!.content as { text: string }).text;

async function modern(transport: StdioClientTransport | StreamableHTTPClientTransport): Promise<Asked> {
  const client = new Client(WHO, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  onTestFinished(() => client.close());
  await client.connect(transport);
  return {
    tools: async () => (await client.listTools()).tools.map(tool => tool.name),
    call: async (name, args = {}, signal) =>
      text(await client.callTool({ name, arguments: args }, signal ? { signal } : {})),
    version: () => client.getNegotiatedProtocolVersion(),
    resource: async uri => read(await client.readResource({ uri })),
    prompt: async (name, args) => said(await client.getPrompt({ name, arguments: args })),
  };
}

async function old(transport: OldStdio | OldHttp): Promise<Asked> {
  const client = new OldClient(WHO);
  onTestFinished(() => client.close());
  // Its types are of another strictness about undefined.
  await client.connect(transport as Parameters<OldClient['connect']>[0]);
  return {
    tools: async () => (await client.listTools()).tools.map(tool => tool.name),
    call: async (name, args = {}, signal) =>
      text((await client.callTool({ name, arguments: args }, undefined, signal ? { signal } : {})) as Content),
    version: () => (transport as { protocolVersion?: string }).protocolVersion ?? client.getServerVersion()?.version,
    resource: async uri => read(await client.readResource({ uri })),
    prompt: async (name, args) => said(await client.getPrompt({ name, arguments: args })),
  };
}

const started = (outputDir: string) => ({ command: process.execPath, args: [cli, 'mcp', outputDir] });
const ways: readonly [string, (outputDir: string) => Promise<Asked>][] = [
  ['client 2 over stdio', outputDir => modern(new StdioClientTransport(started(outputDir)))],
  ['sdk 1 over stdio', outputDir => old(new OldStdio(started(outputDir)))],
  ['client 2 over HTTP', async outputDir => modern(new StreamableHTTPClientTransport(await listening(outputDir)))],
  ['sdk 1 over HTTP', async outputDir => old(new OldHttp(await listening(outputDir)))],
];

async function listening(outputDir: string): Promise<URL> {
  const library = await open({ outputDir, mcp: true, listen: { http: '127.0.0.1:0' } });
  return new URL(`http://${library.addresses().http}/mcp`);
}

/** A run of the program whose test fails: what it says of itself. */
async function checkout(outputDir: string, run: string, mended = 'no'): Promise<string> {
  return (await node([fixture('checkout'), outputDir, run, mended])).stdout;
}

test.each(ways)('%s', async (_, connect) => {
  const outputDir = directory();
  const asked = await connect(outputDir);
  expect(await asked.tools()).toEqual(TOOLS);
  expect(await asked.call('overview')).toContain('Nothing is recorded');
  const mark = /cursor: (\S+)/.exec(await asked.call('wait_for', { timeout: 0 }))![1]!;
  const waiting = asked.call('wait_for', { timeout: 45, status: 'error', cursor: mark });
  expect(await checkout(outputDir, '1')).toContain('not ok');
  expect(await waiting).toContain('GET price');
  expect(await asked.call('errors')).toContain('TypeError');
  expect(await asked.call('search_traces', { servce: 'x' })).toBe(
    'error: search_traces takes no "servce": did you mean service?',
  );
  await expect(asked.call('nothing')).rejects.toThrow(/there is no tool "nothing": there are overview/);
  expect(await asked.resource('otlp-arrow://schema.md')).toBe(readFileSync(join(root, 'docs/schema.md'), 'utf8'));
  await expect(asked.resource('otlp-arrow://other')).rejects.toThrow(/there is no resource/);
  expect(await asked.prompt('slow_request', { service: 'check"out' })).toContain('service="check\\"out"');
  expect(await asked.prompt('failing_test', { command: 'npm test' })).toContain('Run "npm test"');
  // Who does not wait any more ends the call: the next one is answered at once, not in 45 seconds.
  const given = new AbortController();
  const never = asked.call('wait_for', { timeout: 45, name: 'never' }, given.signal);
  given.abort();
  await expect(never).rejects.toThrow();
  expect(await asked.call('overview')).toContain('checkout');
});

test('nothing but the protocol is on standard output, whatever is asked', async () => {
  const child = spawn(process.execPath, [cli, 'mcp', join(directory(), 'not yet')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, OTLP_ARROW_LOG__LEVEL: 'trace', RUST_LOG: 'trace' },
  });
  onTestFinished(() => void child.kill());
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: WHO };
  send({ id: 1, method: 'initialize', params: hello });
  send({ method: 'notifications/initialized' });
  for (const [at, name] of TOOLS.entries()) {
    const args = name === 'wait_for' ? { timeout: 0 } : {};
    send({ id: 10 + at, method: 'tools/call', params: { name, arguments: args } });
  }
  send({ id: 99, method: 'no/such/method' });
  const wanted = new Set([1, 99, ...TOOLS.keys()].map(id => (id < 9 && id !== 1 ? id + 10 : id)));
  wanted.add(11).add(10);
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as { jsonrpc: string; id: number };
    expect(message.jsonrpc).toBe('2.0');
    wanted.delete(message.id);
    if (wanted.size === 0) break;
  }
  child.stdin.end();
  const code = await new Promise(resolve => child.once('exit', resolve));
  expect(code).toBe(0);
});

test('an agent finds why a test fails, and sees that it is mended', { timeout: 120_000 }, async () => {
  const outputDir = directory();
  const asked = await modern(new StdioClientTransport(started(outputDir)));
  const transcript: string[] = [];
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const answer = await asked.call(name, args);
    transcript.push(`> ${name} ${JSON.stringify(args)}\n${answer}`);
    return answer;
  };
  const run = async (number: string, mended = 'no') => {
    transcript.push(`$ node checkout.js ${number}\n${(await checkout(outputDir, number, mended)).trim()}`);
  };
  const mark = /cursor: (\S+)/.exec(await call('wait_for', { timeout: 0 }))![1]!;
  await run('1');
  await call('wait_for', { status: 'error', cursor: mark, timeout: 30 });
  const trace = /trace=([0-9a-f]+)/.exec(await call('errors'))![1]!;
  const tree = await call('get_trace', { trace });
  const span = /error begins in GET price \(checkout\) ([0-9a-f]+)/.exec(tree)![1]!;
  const everything = await call('get_spans', { trace, spans: [span] });
  expect(everything).toContain('checkout.');
  await call('search_logs', { trace });
  await run('2', 'yes');
  const seen = await call('overview');
  expect(seen).toContain('resource=service.instance.id=run-2');
  const compared = await call('compare', {
    a: 'resource=service.instance.id=run-1',
    b: 'resource=service.instance.id=run-2',
  });
  expect(compared).toContain('error gone');
  expect(compared).toContain('new  charge card');
  golden('failing-test.txt', transcript.join('\n\n'), outputDir);
});

/** Compares with what is committed; with OTLP_ARROW_BLESS it is written anew. */
function golden(name: string, found: string, outputDir: string): void {
  const file = join(root, 'test/fixtures/mcp', name);
  const text = `${normal(found, outputDir)}\n`;
  if (process.env.OTLP_ARROW_BLESS !== undefined) {
    mkdirSync(join(root, 'test/fixtures/mcp'), { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(existsSync(file) ? readFileSync(file, 'utf8') : 'OTLP_ARROW_BLESS=1 writes it');
}

/** Ids, times and places that differ from run to run; the same id has the same name throughout. */
function normal(text: string, outputDir: string): string {
  const names = new Map<string, string>();
  const named = (kind: string) => (id: string) => {
    // A beginning of an id is that id.
    const known = [...names].find(([other]) => other.startsWith(id) || id.startsWith(other));
    if (known !== undefined) return known[1];
    const name = `<${kind} ${[...names.values()].filter(other => other.startsWith(`<${kind}`)).length + 1}>`;
    names.set(id, name);
    return name;
  };
  return (
    text
      .replaceAll(JSON.stringify(outputDir).slice(1, -1), '<directory>')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
      .replace(/\b\d\d:\d\d:\d\d(?:\.\d{3}Z?)?/g, '<clock>')
      .replace(/\b\d+[smhd] ago\b|\bin \d+s\b/g, '<ago>')
      .replace(/[\w.]*\/(?:[\w.@-]+\/)*(?=checkout\.[jt]s|node_modules)/g, '<path>/')
      .replace(/(file:\/\/)?<path>/g, '<path>')
      .replace(/\.[jt]s:\d+:\d+/g, '.js:<line>')
      // How much of a stack fits depends on how long its paths are.
      .replace(/(exception\.stacktrace=".*?at price \(<path>\/checkout\.js:<line>\)).*/g, '$1…')
      .replace(/(cursor: |"cursor":")0(?:,[0-9a-f.,]+)?/g, '$1<cursor>')
      .replace(/: \d+ KiB/g, ': <size>')
      .replace(/\d+\.\d{3}\/s/g, '<rate>')
      .replace(/(?<=trace |trace=|"trace":")[0-9a-f]{8,32}/g, named('trace'))
      .replace(/(?<=parent |span=|span |"spans":\[")[0-9a-f]{4,16}\b/g, named('span'))
      .replace(/(?<= )[0-9a-f]{4,16}(?=$| ERROR| \(\+|:| spends| one after)/gm, named('span'))
  );
}

test('the conformance suite finds nothing in what applies to a server of these tools', {
  timeout: 120_000,
}, async () => {
  // Others ask for tools, resources and prompts of the suite itself (tools-call-*, resources-read-*, prompts-get-*, completion,
  // logging, elicitation, sampling), and for streams and subscriptions, which a stateless server has none of.
  const scenarios = [
    'server-initialize',
    'ping',
    'tools-list',
    'resources-list',
    'prompts-list',
    'dns-rebinding-protection',
  ];
  const url = await listening(directory());
  const suite = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
  const shim = new URL('./fixtures/conformance-on-node-20.js', new URL('../dist/node/', import.meta.url));
  for (const scenario of scenarios) {
    const args = ['--import', shim.href, suite, 'server', '--url', url.href, '--scenario', scenario];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
    expect(stdout, scenario).toMatch(/Passed: ([1-9]\d*)\/\1, 0 failed/);
  }
});

/** The first screen of the README, run as it stands there. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Ended, node, type Options } from './children.js';
import { blocks, root } from './markdown.js';
import { directory } from './support.js';

test('the commands work as written', async () => {
  const commands = (section: string) =>
    blocks(section, 'sh')[0]!
      .split('\n')
      .map(line => line.split('#')[0]!.trim())
      .filter(line => line !== '');
  const [first, ...serving] = commands('As a service');
  const asking = commands('Ask');
  const lines = [...serving, ...asking];
  const [name, value] = first!.replace('export ', '').split('=') as [string, string];
  const cwd = directory();
  const env = {
    [name]: value,
    OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B',
    OTLP_ARROW_LISTEN__GRPC: '127.0.0.1:0',
    OTLP_ARROW_LISTEN__HTTP: '127.0.0.1:0',
  };
  const command = (starts: string, options: Options = {}): Promise<Ended> => {
    const line = lines.find(one => one.startsWith(`otlp-arrow ${starts}`));
    return node([join(root, 'ts/dist/cli.js'), ...line!.split(' ').slice(1)], { cwd, env, ...options });
  };

  let service: ChildProcess | undefined;
  let said = '';
  const served = await new Promise<{ ended: Promise<Ended>; address: string }>((resolve, reject) => {
    const ended = command('serve', {
      onSpawn: child => {
        service = child;
      },
      onAny: text => {
        said += text;
        const address = said.match(/http:\/\/127\.0\.0\.1:\d+/g)?.[1];
        if (address) resolve({ ended, address });
      },
    });
    void ended.then(({ stderr }) => reject(new Error(stderr)));
  });

  const span = {
    traceId: `${lines.find(line => line.includes(' trace '))!.split(' ')[2]}`.padEnd(32, '7'),
    spanId: '00f067aa0ba902b7',
    name: 'checkout',
    kind: 2,
    startTimeUnixNano: `${Date.now()}000000`,
    endTimeUnixNano: `${Date.now() + 300}000000`,
  };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'checkout' } }] };
  const sent = await fetch(`${served.address}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] }),
  });
  expect(sent.status).toBe(200);

  const seen = await command('tail', { onOutput: (text, child) => text.includes('checkout') && child.kill('SIGKILL') });
  expect(seen.stdout).toContain('checkout');
  for (const [line, code, output] of [
    ['inspect', 0, 'traces: 1 record'],
    ['convert', 0, ''],
    ['services', 0, 'checkout'],
    ['traces', 0, 'checkout'],
    ['trace ', 0, 'checkout'],
    ['logs', 1, ''],
    ['errors', 1, ''],
    ['map', 1, ''],
    ['compare', 0, 'Usage: '],
  ] as const) {
    const ended = await command(line);
    expect(ended, `${line}: ${ended.stderr}`).toMatchObject({ code });
    expect(ended.stdout).toContain(output);
  }
  expect(readFileSync(join(cwd, 'all.jsonl'), 'utf8')).toContain('"name":"checkout"');
  service!.kill('SIGKILL');
  await served.ended;
  expect([serving.length, asking.length]).toEqual([4, 7]);
});

test('the configuration is one', async () => {
  const cwd = directory();
  writeFileSync(join(cwd, 'otlp-arrow.yaml'), blocks('Forwarding', 'yaml')[0]!);
  const printed = await node([join(root, 'ts/dist/cli.js'), 'config', 'print'], { cwd });
  expect(printed, printed.stderr).toMatchObject({ code: 0 });
  expect(printed.stdout).toContain('https://collector.example:4317');
});

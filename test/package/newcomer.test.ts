/** From an empty folder to one's own trace in a browser: three commands, as docs/dashboard.md has them. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { type Place, place, ROOT } from './packed.js';

let made: Place | string | undefined;
afterAll(() => {
  if (typeof made === 'object') made.remove();
});

const APP = `
const { createServer, get } = require('node:http');
const server = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1', () => {
  get({ port: server.address().port, path: '/hello' }, answer => answer.resume().on('end', () => server.close()));
});
`;

test('npm i, node --import otlp-arrow/register, otlp-arrow ui', async context => {
  const commands = readFileSync(join(ROOT, 'docs/dashboard.md'), 'utf8')
    .split("one's own trace:")[1]!
    .split('```')[1]!
    .split('\n')
    .slice(1, 4);
  expect(commands[0]).toMatch(/^npm i otlp-arrow (.+)$/);
  expect(commands.slice(1)).toEqual(['node --import otlp-arrow/register app.js', 'npx otlp-arrow ui']);
  const began = performance.now();
  made = await place(commands[0]!.split(' ').slice(3));
  if (typeof made === 'string') return context.skip(made);
  const { folder } = made;
  writeFileSync(join(folder, 'app.js'), APP);
  await made.node('app.js', [], { NODE_OPTIONS: '--import otlp-arrow/register', OTEL_SERVICE_NAME: 'my-service' });
  const cli = join(folder, 'node_modules/otlp-arrow/ts/dist/cli.js');
  // A browser that says which link it was asked to open.
  const browser = join(folder, process.platform === 'win32' ? 'browser.cmd' : 'browser.sh');
  writeFileSync(
    browser,
    process.platform === 'win32' ? '@echo %1> opened.txt\r\n' : '#!/bin/sh\necho "$1" > opened.txt\n',
    { mode: 0o755 },
  );
  const viewer = spawn(process.execPath, [cli, 'ui'], {
    cwd: folder,
    env: { ...process.env, BROWSER: browser },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let link = '';
    for await (const line of createInterface({ input: viewer.stdout })) {
      link = /: (http:\/\/127\.0\.0\.1:\d+\/)$/.exec(line)?.[1] ?? '';
      if (link !== '') break;
    }
    const page = await fetch(`${link}ui/traces`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const html = await page.text();
    const script = /src="(\/assets\/app-\w+\.js)"/.exec(html)?.[1];
    expect(script, html).toBeDefined();
    expect((await fetch(new URL(script!, link))).status).toBe(200);
    const found = (await (await fetch(`${link}api/v1/traces?service=my-service`)).json()) as {
      traces: { root_name: string; spans: number }[];
    };
    expect(found.traces.length).toBeGreaterThan(0);
    expect(found.traces[0]!.spans).toBeGreaterThan(0);
    console.log(`from an empty folder to one's own trace: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await expect.poll(() => readFileSync(join(folder, 'opened.txt'), 'utf8').trim(), { timeout: 30_000 }).toBe(link);
  } finally {
    const ended = new Promise(resolve => viewer.once('exit', resolve));
    viewer.kill('SIGINT');
    await ended;
  }
}, 300_000);

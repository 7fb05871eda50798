/** What answers requests: frameworks and development servers. */
import type { Session } from './session.js';
import type { Program } from './table.js';

/** An instrumentation asks for any API of version 1; the newest may be newer than every SDK, which `register` says. */
const API = '@opentelemetry/api@1.9.1';

/** Of one line with the SDK in package.json. */
const HTTP = '@opentelemetry/instrumentation-http';
const EXPRESS = '@opentelemetry/instrumentation-express';

/** Asks for the paths, then ends the server as a supervisor does. */
const asked =
  (...paths: readonly string[]) =>
  async (session: Session): Promise<void> => {
    const port = await session.port();
    for (const path of paths) await session.get(port, path);
    session.kill('SIGTERM');
  };

/** A server's end as documentation shows it. */
const DRAIN = `process.once('SIGTERM', () => { console.log('closing'); server.close(() => { console.log('closed'); process.exitCode = 3; }); });`;
const SAYS = `() => console.log('listening on ' + server.address().port)`;

const NEXT = {
  'app/layout.js': `export default function Layout({ children }) { return <html><body>{children}</body></html>; }`,
  'app/page.js': `export const dynamic = 'force-dynamic'; export default function Page() { return <p>hello {1 + 1}</p>; }`,
  'app/api/items/[id]/route.js': `export async function GET(_, { params }) { return Response.json({ id: (await params).id }); }`,
  'next.config.mjs': `export default { devIndicators: false };`,
};
const NEXT_PACKAGES = ['next@16', 'react@19', 'react-dom@19'];
const NEXT_ENV = { NEXT_TELEMETRY_DISABLED: '1' };
const page = (html: string): string => /<p>.*?<\/p>/.exec(html)?.[0] ?? html;
/** What Next.js says of the machine and of its version, and a bar that moves. */
const NEXT_NOISE = [
  [/^.*(?:Network:|Environments|Slow filesystem|benchmark took).*$/gm, ''],
  [/using \d+ workers?/g, ''],
  [/ in <duration>.*$/gm, ''],
  [/Generating static pages.*/g, ''],
] as const;

const visit = async (session: Session): Promise<void> => {
  const port = await session.port();
  await session.until(/Ready/);
  await session.get(port, '/', page);
  await session.get(port, '/api/items/7');
  session.kill('SIGTERM');
};

export const SERVERS: readonly Program[] = [
  {
    name: 'express',
    packages: ['express@5.3.0'],
    files: {
      'app.mjs': `import express from 'express';
        const app = express();
        app.get('/items/:id', (q, r) => { r.json({ id: q.params.id }); });
        app.get('/wrong', () => { throw new Error('no'); });
        app.use((error, q, r, next) => { r.status(500).send(error.message); });
        const server = app.listen(0, '127.0.0.1', ${SAYS}); ${DRAIN}`,
    },
    args: ['app.mjs'],
    drive: asked('/items/7', '/wrong', '/none'),
    scopes: [HTTP, EXPRESS],
    least: 4,
    steady: [[/nonce-[\w+/=]+/g, '']],
  },
  {
    name: 'fastify',
    packages: ['fastify@5', '@fastify/otel@0.21'],
    files: {
      'app.cjs': `const app = require('fastify')();
        app.get('/items/:id', async q => ({ id: q.params.id }));
        app.get('/wrong', async () => { throw new Error('no'); });
        const { server } = app; app.listen({ port: 0, host: '127.0.0.1' }).then(${SAYS}); ${DRAIN}`,
    },
    args: ['app.cjs'],
    env: { OTEL_FASTIFY_AUTO: '1' },
    drive: asked('/items/7', '/wrong', '/none'),
    scopes: [HTTP],
    least: 3,
  },
  {
    name: 'nest',
    packages: [
      '@nestjs/core@11',
      '@nestjs/common@11',
      '@nestjs/platform-express@11',
      'reflect-metadata@0.2',
      'rxjs@7',
      '@opentelemetry/instrumentation-nestjs-core@0.70',
      API,
    ],
    files: {
      'app.cjs': `require('reflect-metadata');
        const { Controller, Get, Module, Param } = require('@nestjs/common');
        const { NestFactory } = require('@nestjs/core');
        class Items { one(id) { return { id }; } }
        Get(':id')(Items.prototype, 'one', Object.getOwnPropertyDescriptor(Items.prototype, 'one'));
        Param('id')(Items.prototype, 'one', 0);
        Controller('items')(Items);
        class App {} Module({ controllers: [Items] })(App);
        (async () => {
          const app = await NestFactory.create(App, { logger: false });
          app.enableShutdownHooks();
          await app.listen(0, '127.0.0.1');
          console.log('listening on ' + app.getHttpServer().address().port);
        })();`,
    },
    args: ['app.cjs'],
    drive: asked('/items/7', '/none'),
    scopes: [HTTP, '@opentelemetry/instrumentation-nestjs-core'],
    least: 3,
  },
  {
    name: 'koa',
    packages: ['koa@3', '@opentelemetry/instrumentation-koa@0.71'],
    files: {
      'app.cjs': `const Koa = require('koa'); const app = new Koa();
        app.use(async function first(context, next) { await next(); });
        app.use(context => { context.body = { path: context.path }; });
        const server = app.listen(0, '127.0.0.1', ${SAYS}); ${DRAIN}`,
    },
    args: ['app.cjs'],
    drive: asked('/items/7'),
    scopes: [HTTP, '@opentelemetry/instrumentation-koa'],
    least: 2,
  },
  {
    name: 'next dev',
    long: true,
    packages: NEXT_PACKAGES,
    files: NEXT,
    args: ['bin:next', 'dev', '-p', '0', '-H', '127.0.0.1'],
    through: 'options',
    env: NEXT_ENV,
    drive: visit,
    scopes: [HTTP, 'next.js'],
    least: 2,
    steady: NEXT_NOISE,
    unordered: true,
    cleanup: ['.next'],
  },
  {
    name: 'next build and start',
    long: true,
    packages: NEXT_PACKAGES,
    files: NEXT,
    command: '/bin/sh',
    args: ['-c', 'node_modules/.bin/next build && exec node_modules/.bin/next start -p 0 -H 127.0.0.1'],
    through: 'options',
    env: NEXT_ENV,
    drive: visit,
    scopes: [HTTP, 'next.js'],
    least: 2,
    steady: NEXT_NOISE,
    unordered: true,
    cleanup: ['.next'],
  },
  {
    name: 'vite dev',
    packages: ['vite@8.3.8'],
    files: {
      'index.html': `<!doctype html><script type="module" src="/main.js"></script>`,
      'main.js': `import { two } from './two.js'; console.log(two);`,
      'two.js': `export const two = 1 + 1;`,
    },
    args: ['bin:vite', '--port', '0', '--host', '127.0.0.1'],
    through: 'options',
    drive: async session => {
      const port = await session.port();
      await session.get(port, '/two.js', body => body.split('\n')[0]!);
      await session.get(port, '/main.js', body => body.split('\n')[0]!.replace(/\?t=\d+/, ''));
      session.kill('SIGTERM');
    },
    scopes: [HTTP],
    least: 2,
    cleanup: ['node_modules/.vite'],
  },
  {
    name: 'socket.io',
    packages: ['socket.io@4', 'socket.io-client@4', '@opentelemetry/instrumentation-socket.io@0.70', API],
    files: {
      'app.cjs': `const { Server } = require('socket.io'); const { io } = require('socket.io-client');
        const server = require('node:http').createServer(); const hub = new Server(server);
        hub.on('connection', socket => socket.on('ask', (n, answer) => answer(n + 1)));
        server.listen(0, '127.0.0.1', () => {
          const client = io('http://127.0.0.1:' + server.address().port);
          client.emit('ask', 41, n => { console.log('answer', n); client.close(); hub.close(); });
        });`,
    },
    args: ['app.cjs'],
    scopes: [HTTP, '@opentelemetry/instrumentation-socket.io'],
    least: 2,
  },
  {
    name: 'grpc-js server',
    packages: ['@grpc/grpc-js@1', '@opentelemetry/instrumentation-grpc@0.223.0', API],
    files: {
      'app.cjs': `const grpc = require('@grpc/grpc-js');
        const json = { serialize: v => Buffer.from(JSON.stringify(v)), deserialize: b => JSON.parse(b) };
        const service = { Add: { path: '/shop.Sums/Add', requestStream: false, responseStream: false,
          requestSerialize: json.serialize, requestDeserialize: json.deserialize, responseSerialize: json.serialize, responseDeserialize: json.deserialize } };
        const server = new grpc.Server();
        server.addService(service, { Add: ({ request: { a, b } }, done) => b === 0 ? done({ code: grpc.status.INVALID_ARGUMENT, details: 'zero' }) : done(null, { sum: a + b }) });
        server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
          const client = new (grpc.makeGenericClientConstructor(service, 'Sums'))('127.0.0.1:' + port, grpc.credentials.createInsecure());
          client.Add({ a: 1, b: 2 }, (error, answer) => { console.log(answer);
            client.Add({ a: 1, b: 0 }, error => { console.log(error.code, error.details); client.close(); server.tryShutdown(() => console.log('shut')); }); });
        });`,
    },
    args: ['app.cjs'],
    scopes: ['@opentelemetry/instrumentation-grpc'],
    least: 4,
  },
  {
    name: 'undici and fetch',
    packages: ['undici@7', '@opentelemetry/instrumentation-undici@0.33'],
    files: {
      'app.mjs': `import { createServer } from 'node:http'; import { request, Agent, fetch as theirs } from 'undici';
        const server = createServer((q, r) => r.end(q.method + q.url)).listen(0, '127.0.0.1', async () => {
          const url = 'http://127.0.0.1:' + server.address().port;
          console.log(await (await fetch(url + '/a')).text(), await (await theirs(url + '/b', { method: 'POST', body: 'x' })).text());
          const agent = new Agent(); const { body } = await request(url + '/c', { dispatcher: agent }); console.log(await body.text());
          await agent.close(); server.close(); server.closeAllConnections();
          await fetch('http://127.0.0.1:1/').catch(error => console.log(error.cause.code ?? error.cause.message)); process.exit(2);
        });`,
    },
    args: ['app.mjs'],
    scopes: [HTTP, '@opentelemetry/instrumentation-undici'],
    least: 6,
  },
  {
    name: 'a handler of serverless-http under lambda-local',
    packages: [
      'lambda-local@2',
      'serverless-http@4',
      'express@5.3.0',
      '@opentelemetry/instrumentation-aws-lambda@0.75',
    ],
    files: {
      'package.json': '{"private":true}',
      'handler.js': `const app = require('express')(); app.get('/items/:id', (q, r) => { r.json({ id: q.params.id }); });
        module.exports.handler = require('serverless-http')(app);`,
      'event.json': JSON.stringify({ httpMethod: 'GET', path: '/items/7', headers: {}, requestContext: {} }),
    },
    args: ['bin:lambda-local', '-l', 'handler.js', '-h', 'handler', '-e', 'event.json'],
    // As the service itself names it.
    env: { _HANDLER: 'handler.handler', LAMBDA_TASK_ROOT: '<folder>' },
    scopes: ['@opentelemetry/instrumentation-aws-lambda', EXPRESS],
    least: 2,
    steady: [[/RequestId: [\w-]+/g, 'RequestId: <id>']],
  },
  {
    name: 'pino with a transport of its own thread',
    packages: ['pino@9', '@opentelemetry/instrumentation-pino@0.69'],
    files: {
      'app.cjs': `const pino = require('pino');
        const log = pino({ timestamp: false, base: null }, pino.transport({ target: 'pino/file', options: { destination: 1 } }));
        require('@opentelemetry/api').trace.getTracer('app').startActiveSpan('job', span => {
          for (let i = 0; i < 3; i++) log.info({ i }, 'line'); span.end(); });
        process.on('exit', code => console.error('exit', code));`,
    },
    args: ['app.cjs'],
    scopes: ['app'],
    steady: [[/,?"(?:trace_id|span_id|trace_flags)":"\w+"/g, '']],
  },
];

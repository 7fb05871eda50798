/**
 * `npm run demo`: the main job on real telemetry.
 *
 *     npm run demo                              the standard OTLP ports, five seconds of shop
 *     npm run demo -- --port 5317 --seconds 10  gRPC on 5317, HTTP on the port after it
 *     npm run demo -- --open                    and then a browser that shows it, until Ctrl-C
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT } from './run.js';
import { addon, dashboard } from './setup.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4317' },
    seconds: { type: 'string', default: '5' },
    open: { type: 'boolean', default: false },
    output: {
      type: 'string',
      default: join('output_dir', `demo-${new Date().toISOString().replace(/[-:]|\..*/g, '')}`),
    },
  },
});

const grpcPort = Number(values.port);
const httpPort = grpcPort + 1;
const seconds = Number(values.seconds);
if (!(Number.isInteger(grpcPort) && grpcPort > 0 && grpcPort < 65_535))
  fail(`--port ${values.port}: give a port number`);
if (!(seconds > 0 && seconds <= 600)) fail(`--seconds ${values.seconds}: give a number from 1 to 600`);

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Whether something answers on the port. */
function taken(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function buildWithProgress(): Promise<void> {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(0);
  console.log('Building the recorder (the first time takes a few minutes) …');
  const timer = setInterval(() => console.log(`  still building, ${seconds()} s`), 20_000);
  try {
    await dashboard();
    await addon();
  } finally {
    clearInterval(timer);
  }
  console.log(`Built in ${seconds()} s.`);
}

async function startService(output: string): Promise<ChildProcess> {
  const cli = join(ROOT, 'ts/dist/cli.js');
  const listen = ['--grpc', `127.0.0.1:${grpcPort}`, '--http', `127.0.0.1:${httpPort}`];
  const child = spawn(process.execPath, [cli, 'serve', '--output-dir', output, ...listen], { stdio: 'inherit' });
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) fail(`the service ended with ${child.exitCode} before it listened`);
    if ((await taken(grpcPort)) && (await taken(httpPort))) return child;
    await sleep(50);
  }
  child.kill();
  return fail('the service did not listen within 10 s');
}

async function stopService(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
  // Windows has no signals: the child sees the closed console instead.
  child.kill('SIGINT');
  await ended;
}

await buildWithProgress();
for (const port of [grpcPort, httpPort]) {
  if (await taken(port)) fail(`port ${port} is taken: stop what listens there, or run npm run demo -- --port 5317`);
}
const output = resolve(values.output);
const service = await startService(output);
console.log(
  `The shop is open for ${seconds} s: frontend (gRPC), cart and catalog (HTTP/protobuf), payment (HTTP/JSON).`,
);
const { runShop } = await import('../demo/shop.js');
console.log(`Look at it as it comes in: http://127.0.0.1:${httpPort}/`);
const sales = await runShop(
  { grpc: `http://127.0.0.1:${grpcPort}`, http: `http://127.0.0.1:${httpPort}` },
  seconds * 1000,
);
await stopService(service);

const { files, report } = await import('../demo/report.js');
console.log(`\n${sales.orders} orders, ${sales.failed} failed. What was kept:\n`);
console.log(report(output).join('\n'));
console.log(`
Open it in Python:
  import polars as pl
  spans = pl.scan_ipc('${join(output, 'otlp/traces/*.arrow')}')
  print(spans.group_by('service_name', 'name').agg(pl.len(), pl.col('duration').mean()).collect())

Open it in TypeScript:
  import 'otlp-arrow/arrow';
  import { tableFromIPC } from 'apache-arrow';
  const spans = tableFromIPC(readFileSync('${files(output, 'traces')[0]}'));`);

const shown = output.includes(' ') ? `'${output}'` : output;
if (values.open) {
  console.log('\nLook at it in a browser:');
  const cli = join(ROOT, 'ts/dist/cli.js');
  const viewer = spawn(process.execPath, [cli, 'ui', output], { stdio: 'inherit' });
  // Ctrl-C reaches it as well; this waits until it has said its last.
  process.on('SIGINT', () => undefined);
  await new Promise(resolve => viewer.once('exit', resolve));
} else {
  console.log(`
Look at it in a browser:
  npx otlp-arrow ui ${shown}`);
}

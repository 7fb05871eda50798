/**
 * `npm run test:long -- proxies`: forward proxies that people run, between a recorder that forwards and one that listens, by both
 * protocols: plain OTLP/HTTP as a request with the whole URL, gRPC through CONNECT, each with user name and password; a wrong password is the
 * proxy's word and nobody else's; a proxy that starts later is waited for. Squid and tinyproxy are Debian's packages, unpacked
 * below target/ where they are not installed; proxy.py comes from PyPI.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PYTHON, ROOT, run } from './run.js';
import { addon, pythonEnvironment } from './setup.js';

const PATIENCE_MS = 60_000;
const FOLDER = join(ROOT, 'target/proxies');
const [USER, PASSWORD] = ['user', 's3cret'];
const PROTOCOLS = ['otlp_http', 'otlp_grpc'] as const;

/** How a proxy is started in `folder` to listen on `port`, or why it cannot be had here. */
interface Program {
  readonly name: string;
  find(): Promise<string | undefined>;
  command(folder: string, port: number): { command: readonly string[]; env?: Record<string, string> };
}

/** Where Debian's packages are unpacked; empty where they are installed. */
const unpacked = (packages: string) => join(FOLDER, packages);

/** The file of an installed package, or of one that is unpacked. */
function found(folder: string, paths: readonly string[]): string | undefined {
  return [...paths, ...paths.map(path => join(folder, path))].find(path => existsSync(path));
}

/** Unpacks packages of Debian that are not installed: that needs no rights. */
async function unpack(folder: string, packages: readonly string[]): Promise<string | undefined> {
  mkdirSync(folder, { recursive: true });
  try {
    await run('apt-get', ['download', '--quiet', ...packages], { cwd: folder, quiet: true });
    for (const file of readdirSync(folder).filter(name => name.endsWith('.deb'))) {
      await run('dpkg-deb', ['-x', join(folder, file), folder], { quiet: true });
    }
    return undefined;
  } catch (error) {
    return `skipped: ${packages[0]} is not installed, and cannot be had from Debian here: ${String(error).slice(0, 200)}`;
  }
}

function debian(name: string, paths: readonly string[], packages: readonly string[]) {
  const folder = unpacked(name);
  return {
    folder,
    program: () => found(folder, paths)!,
    find: async () => (found(folder, paths) === undefined ? unpack(folder, packages) : undefined),
    env: { LD_LIBRARY_PATH: join(folder, `usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`) },
  };
}

const SQUID = debian(
  'squid',
  ['/usr/sbin/squid'],
  [
    'squid',
    'squid-common',
    'libecap3',
    'libltdl7',
    'libdb5.3',
    'libtdb1',
    'libnetfilter-conntrack3',
    'libnfnetlink0',
    'squid-langpack',
  ],
);
const TINYPROXY = debian('tinyproxy', ['/usr/bin/tinyproxy', '/usr/sbin/tinyproxy'], ['tinyproxy-bin']);

const PROGRAMS: readonly Program[] = [
  {
    name: 'squid',
    find: SQUID.find,
    command: (folder, port) => {
      const share = found(SQUID.folder, ['/usr/share/squid'])!;
      const check = join(folder, 'check.sh');
      writeFileSync(
        check,
        `#!/bin/sh\nwhile read -r name password rest; do\n  if [ "$name:$password" = "${USER}:${PASSWORD}" ]; then echo OK; else echo ERR; fi\ndone\n`,
      );
      chmodSync(check, 0o755);
      // As root it becomes another user, who writes here.
      chmodSync(folder, 0o777);
      writeFileSync(
        join(folder, 'squid.conf'),
        [
          `http_port 127.0.0.1:${port}`,
          `auth_param basic program ${check}`,
          'auth_param basic children 1',
          'auth_param basic realm test',
          'acl known proxy_auth REQUIRED',
          'http_access allow known',
          'http_access deny all',
          'cache deny all',
          'shutdown_lifetime 0 seconds',
          'cache_effective_user nobody',
          'pinger_enable off',
          'netdb_filename none',
          'access_log none',
          `cache_log ${join(folder, 'cache.log')}`,
          `pid_filename ${join(folder, 'squid.pid')}`,
          `coredump_dir ${folder}`,
          `mime_table ${join(share, 'mime.conf')}`,
          `icon_directory ${join(share, 'icons')}`,
          `error_directory ${found(SQUID.folder, ['/usr/share/squid-langpack/English', '/usr/share/squid/errors/English'])}`,
          ...['unlinkd', 'log_file_daemon'].map(name => {
            const setting = name === 'unlinkd' ? 'unlinkd_program' : 'logfile_daemon';
            return `${setting} ${found(SQUID.folder, [`/usr/lib/squid/${name}`])}`;
          }),
          '',
        ].join('\n'),
      );
      return { command: [SQUID.program(), '-N', '-f', join(folder, 'squid.conf')], env: SQUID.env };
    },
  },
  {
    name: 'tinyproxy',
    find: TINYPROXY.find,
    command: (folder, port) => {
      const file = join(folder, 'tinyproxy.conf');
      writeFileSync(
        file,
        [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 20', `BasicAuth ${USER} ${PASSWORD}`, ''].join(
          '\n',
        ),
      );
      return { command: [TINYPROXY.program(), '-d', '-c', file], env: TINYPROXY.env };
    },
  },
  {
    name: 'proxy.py',
    find: async () => {
      const folder = join(FOLDER, 'python');
      if (existsSync(join(folder, 'proxy'))) return undefined;
      await run(
        PYTHON,
        ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--target', folder, 'proxy.py'],
        {
          quiet: true,
        },
      );
      return undefined;
    },
    command: (_folder, port) => ({
      command: [
        ...[PYTHON, '-m', 'proxy', '--hostname', '127.0.0.1', '--port', String(port)],
        ...['--num-workers', '1', '--num-acceptors', '1', '--basic-auth', `${USER}:${PASSWORD}`],
      ],
      env: { PYTHONPATH: join(FOLDER, 'python') },
    }),
  },
];

/** Tries each that can be had; a reason where none can. */
export async function proxies(): Promise<string | undefined> {
  if (process.platform === 'win32') return 'not here: these proxies are programs of Unix';
  await addon();
  await pythonEnvironment();
  const missing: string[] = [];
  for (const program of PROGRAMS) {
    const reason = await program.find();
    if (reason !== undefined) {
      console.log(reason);
      missing.push(reason);
      continue;
    }
    for (const protocol of PROTOCOLS) await scenario(program, protocol);
    console.log(`${program.name}: both protocols, credentials, a wrong password, a late start`);
  }
  return missing.length > 0 ? missing.join('; ') : undefined;
}

async function scenario(program: Program, protocol: (typeof PROTOCOLS)[number]): Promise<void> {
  const { OtlpLibrary } = await import('otlp-arrow');
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-proxies-'));
  const port = await freePort();
  const open = (name: string, config: object) =>
    OtlpLibrary.open({
      outputDir: join(folder, name),
      listen: { http: '127.0.0.1:0' },
      storage: { minFreeBytes: '0B' },
      ...config,
    });
  const far = await open('far', {});
  const endpoint = `http://${far.addresses().http}`;
  const retry = { initial: '50ms', max: '500ms' };
  const through = (name: string, url: string) => open(name, { forward: { endpoint, protocol, proxy: url, retry } });
  const arrived = async () => (await far.read('logs')).numRows;
  const near = await through('near', `http://${USER}:${PASSWORD}@127.0.0.1:${port}`);
  const wrong = await through('wrong', `http://${USER}:hunter2@127.0.0.1:${port}`);
  let proxy: ChildProcess | undefined;
  try {
    await send(near.addresses().http!, 'kept');
    const said = () => near.forwarders()[0]!.info();
    await until('what is told while there is no proxy', async () => typeof said().lastError === 'string');
    assert.match(said().lastError!, /proxy http:\/\/127\.0\.0\.1/);
    const { command, env } = program.command(folder, port);
    proxy = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let output = '';
    for (const stream of [proxy.stdout!, proxy.stderr!])
      stream.on('data', (text: Buffer) => (output += text.toString()));
    await until(`${program.name}, which said ${output}`, async () => {
      assert.equal(proxy!.exitCode, null, `${program.name} ended: ${output}${logOf(folder)}`);
      return reachable(port);
    });
    await until('what was sent before the proxy was there', async () => (await arrived()) === 1);
    for (let n = 0; n < 20; n++) await send(near.addresses().http!, `more ${n}`);
    await until('what was sent', async () => (await arrived()) === 21);

    await send(wrong.addresses().http!, 'refused');
    const refused = () => wrong.forwarders()[0]!.info();
    // tinyproxy says 401, as a destination would: that it came through a proxy is told.
    await until('the refusal', async () => /40[17]/.test(refused().lastError ?? '')).catch(error => {
      throw new Error(`${program.name}, ${protocol}: ${JSON.stringify(refused())}`, { cause: error });
    });
    assert.match(refused().lastError!, /the proxy http:\/\/127\.0\.0\.1:\d+/);
    assert.ok(!refused().lastError!.includes('hunter2'));
    assert.deepEqual([refused().lagRecords, refused().rejectedRequests], [1, 0]);
    assert.equal(await arrived(), 21, `${program.name}, ${protocol}: nothing without the right password`);
    assert.equal(said().rejectedRequests, 0);
  } finally {
    await Promise.all(
      [near, wrong, far].map(library => library.shutdown({ deadlineMs: 5_000 }).catch(() => undefined)),
    );
    if (proxy && proxy.exitCode === null && proxy.signalCode === null) {
      const ended = new Promise(resolve => proxy!.once('close', resolve));
      proxy.kill('SIGTERM');
      const late = setTimeout(() => proxy!.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

const logOf = (folder: string) =>
  existsSync(join(folder, 'cache.log')) ? readFileSync(join(folder, 'cache.log'), 'utf8').slice(-2_000) : '';

async function send(address: string, text: string): Promise<void> {
  const body = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: text } }] }] }] };
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`http://${address}/v1/logs`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.text());
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function reachable(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await done())) {
    assert.ok(Date.now() < deadline, `${what} did not come about`);
    await sleep(50);
  }
}

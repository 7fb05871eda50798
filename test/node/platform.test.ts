import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidConfigError, type OtlpConfig, type OtlpEvent, OtlpLibrary } from 'otlp-arrow';
import { expect, onTestFinished, test, vi } from 'vitest';
import { destination } from '../../ts/dist/register/forward.js';
import { fixture, node } from './children.js';
import { directory, open, readDirectory } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = join(root, 'ts/dist/cli.js');

/** What Kubernetes gives every pod of a namespace with these services, and Docker a container with such a link. */
const LINKS = {
  OTLP_ARROW_SERVICE_HOST: '10.96.0.12',
  OTLP_ARROW_SERVICE_PORT: '4317',
  OTLP_ARROW_SERVICE_PORT_GRPC: '4317',
  OTLP_ARROW_PORT: 'tcp://10.96.0.12:4317',
  OTLP_ARROW_PORT_4317_TCP: 'tcp://10.96.0.12:4317',
  OTLP_ARROW_PORT_4317_TCP_ADDR: '10.96.0.12',
  OTLP_ARROW_PORT_4317_TCP_PORT: '4317',
  OTLP_ARROW_PORT_4317_TCP_PROTO: 'tcp',
  OTLP_ARROW_FORWARDER_PORT_53_UDP: 'udp://10.96.0.13:53',
  OTLP_ARROW_FORWARDER_SERVICE_HOST: '10.96.0.13',
  OTLP_ARROW_NAME: '/web/otlp-arrow',
  OTLP_ARROW_ENV_OUTPUT_DIR: '/elsewhere',
};

/** One log record. */
const HELLO = Buffer.from('\n\r\x12\x0b\x12\t*\x07\n\x05hello', 'latin1');

async function events(config: OtlpConfig): Promise<OtlpEvent[]> {
  const heard: OtlpEvent[] = [];
  const library = await OtlpLibrary.open(config);
  library.on('event', event => heard.push(event));
  await vi.waitFor(() => expect(library.stats().events.settings_ignored).toBe(heard.length));
  await library.shutdown();
  return heard.filter(event => event.name === 'settings_ignored');
}

function environment(variables: Record<string, string>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

test('variables of the platform are told once, as information, and change nothing', async () => {
  environment(LINKS);
  const told = await events({ outputDir: directory() });
  expect(told).toMatchObject([{ severity: 'info' }]);
  for (const name of Object.keys(LINKS)) expect(told[0]!.message).toContain(name);
});

test('a variable that sets no key is a warning with the nearest key', async () => {
  environment({ OTLP_ARROW_OUTPT_DIR: '/elsewhere', OTLP_ARROW_BUFFER__MAX_BYTE: '1MiB' });
  const told = await events({ outputDir: directory() });
  expect(told.map(event => event.severity)).toEqual(['warn', 'warn']);
  expect(told[0]!.message).toContain('did you mean buffer.max_bytes?');
  expect(told[1]!.message).toContain('did you mean output_dir? (from OTLP_ARROW_OUTPT_DIR); the variable is ignored');
  await expect(OtlpLibrary.open({ outputDir: directory(), outptDir: 'x' } as OtlpConfig)).rejects.toThrow(
    InvalidConfigError,
  );
});

test('register records among variables of the platform and says nothing of them', async () => {
  const outputDir = directory();
  const env = { ...LINKS, OTLP_ARROW_OUTPUT_DIR: outputDir };
  const ended = await node(['--import', 'otlp-arrow/register', fixture('app'), 'itself'], { cwd: root, env });
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  expect(ended.stderr).not.toMatch(/OTLP_ARROW_|settings/);
  expect((await readDirectory(outputDir, 'traces')).map(row => row.name)).toContain('work');
});

test('only our own names are a word on forwarding', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
  for (const others of [LINKS, { OTLP_ARROW_FORWARD_PORT: 'tcp://10.0.0.1:1' }, { OTLP_ARROW_FORWARD: '' }])
    expect(destination({ ...endpoint, ...others })).toEqual({ forward: 'env' });
  for (const name of [
    'OTLP_ARROW_FORWARD',
    'OTLP_ARROW_FORWARD__ENDPOINT',
    'OTLP_ARROW_FORWARD__0__NAME',
    'OTLP_ARROW_CONFIG',
  ])
    expect(destination({ ...endpoint, [name]: 'x' })).toEqual({});
});

test('the command line names what it ignores, and where a value comes from', async () => {
  const cwd = directory();
  writeFileSync(join(cwd, 'otlp-arrow.yaml'), `output_dir: ~/telemetry\ndurability: \${DURABILITY:-synced}\n`);
  const printed = await node([cli, 'config', 'print'], { cwd, env: { ...LINKS, OTLP_ARROW_OUTPT_DIR: 'x' } });
  expect(printed, printed.stderr).toMatchObject({ code: 0 });
  expect(printed.stderr).toContain('OTLP_ARROW_PORT_4317_TCP_ADDR');
  expect(printed.stderr).toContain('did you mean output_dir?');
  expect(printed.stdout).toMatch(/^durability: synced +# otlp-arrow.yaml:2$/m);
  expect(printed.stdout).toContain(`output_dir: ${join(homedir(), 'telemetry')}`);
  const wrong = await node([cli, 'config', 'print', '--set', `durability=\${DURABILITY}`], { cwd });
  expect(wrong).toMatchObject({ code: 2 });
});

test.skipIf(process.platform === 'win32')('a group may be let in', async () => {
  const outputDir = join(directory(), 'telemetry');
  const library = await open({ outputDir, storage: { mode: '0640' } });
  await library.exportOtlp('logs', HELLO);
  const found = readdirSync(outputDir, { recursive: true, encoding: 'utf8' }).map(path =>
    statSync(join(outputDir, path)),
  );
  expect(found.filter(file => file.isFile()).length).toBeGreaterThan(0);
  for (const file of found) expect(file.mode & 0o777).toBe(file.isFile() ? 0o640 : 0o750);
  const wrong = OtlpLibrary.open({ outputDir, storage: { mode: 0o640 as unknown as string } });
  await expect(wrong).rejects.toThrow('storage.mode = 416 is a bare number');
  const unknown = OtlpLibrary.open({ outputDir, storage: { mode: '0640', group: 'no-such-group' } });
  await expect(unknown).rejects.toThrow('is not a group here');
});

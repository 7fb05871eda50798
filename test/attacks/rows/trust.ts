/** Rows 36 to 40: what telemetry says about origins, terminals, names and files is data, and leads nowhere. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Attack, ensure, expect, kept, tally } from '../attack.js';
import { post, throwBytes } from '../http1.js';
import { oneSpan } from '../telemetry.js';
import { until } from '../wait.js';

const browsers: Attack = {
  row: 36,
  name: 'pages of other origins',
  async run({ port }) {
    const said: string[] = [];
    // `/metrics` and `/healthz` tell nothing of what is kept, and scrapers of other machines ask for them.
    const paths = ['/api/v1/spans', '/api/v1/services', '/mcp'];
    const wrong: readonly Record<string, string>[] = [
      { Host: 'evil.example', Origin: 'http://evil.example' },
      { Host: `127.0.0.1:${port}`, Origin: 'http://evil.example' },
      { Host: `127.0.0.1:${port}`, Origin: 'null' },
      { Host: `evil.example:${port}` },
      { Host: `127.0.0.1.evil.example:${port}`, Origin: `http://127.0.0.1.evil.example:${port}` },
      { Host: `localhost:${port}`, Origin: `http://localhost:${port}.evil.example` },
    ];
    for (const path of paths) {
      for (const headers of wrong) {
        const { text, statuses } = await throwBytes(port, post(Buffer.alloc(0), { path, headers, method: 'GET' }));
        ensure(
          `${path} is not read by ${JSON.stringify(headers)}`,
          statuses.length === 1 && statuses[0]! >= 400 && statuses[0]! < 500,
          text,
        );
        ensure('no page is allowed to read it', !/^access-control-allow/im.test(text), text);
        said.push(String(statuses[0]));
      }
    }
    // A page may make a browser send, which no answer allows; what it sends as a simple request is no telemetry.
    const headers = { Origin: 'http://evil.example', 'Content-Type': 'text/plain' };
    const sent = await throwBytes(port, post(oneSpan('attack', 'by-a-page'), { headers }));
    ensure(
      'a simple request of a page is no export',
      (sent.statuses[0] ?? 0) >= 400 && sent.statuses[0]! < 500,
      sent.text,
    );
    ensure('nothing of it is kept', (await kept(port, 'by-a-page')) === 0);
    const asked = await throwBytes(
      port,
      post(Buffer.alloc(0), {
        method: 'OPTIONS',
        headers: { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'POST' },
      }),
    );
    ensure('a preflight is not allowed', !/^access-control-allow-origin/im.test(asked.text), asked.text);
    return tally(said);
  },
};

/** Bytes that a terminal or a log reader would obey. */
const EVIL = '\u001b[2J\u001b]0;owned\u0007\r\nERROR forged=1\u202e\u0000\u009b31m';

/** Has refusals answered as text and not as protobuf. */
const JSON_TYPE = { 'Content-Type': 'application/json' };

const injection: Attack = {
  row: 37,
  name: 'terminal escapes and forged lines',
  async run({ port, service }) {
    const body = oneSpan(`attack-37${EVIL}`, `name-37${EVIL}`, Buffer.alloc(16, 37));
    const sent = await throwBytes(port, post(body));
    expect('names with escapes', tally(sent.statuses), '200');
    const quoted = encodeURIComponent(EVIL);
    for (const path of [
      `/api/v1/spans?service=${quoted}&nonsense=${quoted}`,
      `/api/v1/traces/${'25'.repeat(16)}?format=text`,
      `/v1/${quoted}`,
    ]) {
      const { text } = await throwBytes(port, post(Buffer.alloc(0), { path, method: 'GET', headers: JSON_TYPE }));
      const [head, ...rest] = text.split('\r\n\r\n');
      ensure(`${path} answers without escapes`, !escapes(rest.join('\r\n\r\n')), JSON.stringify(text));
      ensure(`${path} has no header of the sender`, !/owned|forged/.test(head!), head);
    }
    const type = await throwBytes(port, post(body, { headers: { 'Content-Type': 'x/\u009b31m' } }));
    ensure(
      'a content type with an escape is not given back',
      !escapes(type.text.split('\r\n\r\n')[1] ?? ''),
      type.text,
    );
    ensure(
      'nothing of it is on the console',
      !escapes(service.said()) && !/^ERROR forged/m.test(service.said()),
      service.said(),
    );
    return 'kept as data, escaped wherever it is shown';
  },
};

/** Whether text has what a terminal obeys: answers are read as bytes, so U+202E and U+009B are looked for in UTF-8. */
function escapes(text: string): boolean {
  const controls = [...text].some(one => (one < ' ' && !'\r\n\t'.includes(one)) || one === '\u007f');
  return controls || ['\u202e', '\u00e2\u0080\u00ae', '\u00c2\u009b'].some(one => text.includes(one));
}

/** Every file below, by its path. */
function below(folder: string, path = ''): readonly string[] {
  return readdirSync(join(folder, path), { withFileTypes: true }).flatMap(entry => {
    const own = join(path, entry.name);
    return entry.isDirectory() ? [own, ...below(folder, own)] : [own];
  });
}

/** What files of the recorder are named: its own words, times, numbers of writers. */
const OWN = /^(traces|metrics|logs|writers|rejected|tmp|index|cursors|maintenance\.lock)?(\/?[0-9A-Za-z_.-]*)*$/;

const names: Attack = {
  row: 38,
  name: 'names from data that look like paths',
  async run({ port, service, scale }) {
    const tricks = [
      '../../etc',
      '/etc/passwd',
      '..\\..\\x',
      '.kibana',
      'a/b',
      'a\0b',
      'NUL',
      'CON.txt',
      '~/.ssh/id',
      '$(id)',
      '%2e%2e%2f',
      'a'.repeat(10_000),
    ];
    const before = below(join(service.folder, 'around')).length;
    ensure('there is a folder to look at', before > 0);
    for (const trick of tricks) {
      const { statuses } = await throwBytes(port, post(oneSpan(trick, 'named-like-a-path')));
      expect(trick.slice(0, 20), tally(statuses), '200');
    }
    const distinct = Math.round(2_000 * scale);
    for (let at = 0; at < distinct; at += 200) {
      const some = Array.from({ length: 200 }, (_, more) => oneSpan(`tenant-${at + more}`, 'distinct'));
      const { statuses } = await throwBytes(port, post(Buffer.concat(some)));
      expect('many services', tally(statuses), '200');
    }
    await until('what was sent is kept', async () => (await kept(port, 'named-like-a-path')) >= tricks.length);
    const all = below(join(service.folder, 'around'));
    for (const path of all)
      ensure(
        'a file is of the recorder',
        OWN.test(path.replace(/^output\/?/, '')) && !/kibana|tenant|etc|ssh/.test(path),
        path,
      );
    ensure('nothing is beside its directory', readdirSync(join(service.folder, 'around')).join() === 'output');
    ensure('nothing is around it', readdirSync(service.folder).join() === 'around');
    return `${tricks.length} names and ${distinct} services: ${all.length} files, each of our own name`;
  },
};

/** Runs the service to its end, or ends it after it listens: what it said. */
function started(
  binary: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly said: string; readonly listened: boolean }> {
  return new Promise(resolve => {
    const child = execFile(binary, ['serve', '--grpc', 'off', ...args], { cwd, timeout: 60_000 }, (_, out, error) =>
      resolve({ said: out + error, listened: /^listening on/m.test(out + error) }),
    );
    const look = (text: string) => /^(listening on|questions)/m.test(text) && child.kill('SIGTERM');
    child.stdout!.on('data', look);
    child.stderr!.on('data', look);
  });
}

const loops: Attack = {
  row: 39,
  name: 'recorders that forward to themselves and to each other',
  async run({ port, binary }) {
    const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-attacks-'));
    try {
      // The address of the service under attack is taken; port 1 is nobody's, and root's if anybody's.
      const own = `127.0.0.1:${port + 1 > 65_535 ? port - 1 : port + 1}`;
      const forward = JSON.stringify({ endpoint: `http://${own}`, protocol: 'http' });
      const { said } = await started(
        binary,
        ['--http', own, '--output-dir', join(folder, 'own'), '--set', `forward=${forward}`],
        folder,
      );
      ensure(
        'its own listener is no destination',
        /forward/.test(said) && /its own|itself|own listener|loop/i.test(said),
        said,
      );
      return 'refused at start, with the reason';
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const directories: Attack = {
  row: 40,
  name: 'an output directory that is not what it seems',
  async run({ binary }) {
    const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-attacks-'));
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    const refused: string[] = [];
    try {
      for (const child of [
        'writers',
        'otlp',
        join('otlp', 'traces'),
        join('index', 'logs'),
        'tmp',
        'maintenance.lock',
      ]) {
        const directory = join(folder, `child-${child.replaceAll('/', '-')}`);
        mkdirSync(dirname(join(directory, child)), { recursive: true });
        // The last is a file that is not there yet: to make it would be to follow the link.
        symlinkSync(child.includes('.') ? join(elsewhere, 'file') : elsewhere, join(directory, child));
        const { said, listened } = await started(binary, ['--http', '127.0.0.1:0', '--output-dir', directory], folder);
        ensure(`${child} is refused`, !listened && said.includes('INVALID_CONFIG'), said);
        ensure(`${child} is named`, said.includes(join(directory, child)), said);
        ensure(`nothing is written where ${child} leads`, readdirSync(elsewhere).length === 0);
        refused.push(child);
      }
      const file = join(folder, 'file');
      writeFileSync(file, 'in the way');
      const { said: refusal, listened } = await started(
        binary,
        ['--http', '127.0.0.1:0', '--output-dir', file],
        folder,
      );
      ensure('a file is no directory', !listened || /not a directory/i.test(refusal), refusal);
      ensure('the file is as it was', existsSync(file) && lstatSync(file).size === 10);
      return `refused: ${refused.join(', ')} that lead elsewhere, and a file`;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

export const TRUST: readonly Attack[] = [browsers, injection, names, loops, directories];

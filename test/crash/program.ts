/** The programs that are killed: the real service and the load on it, and programs that record by themselves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PYTHON, ROOT } from '../scripts/run.js';
import { failpointsAddon } from '../scripts/setup.js';
import { type Ledger, request } from './ledger.js';

export type Kind = 'serve' | 'node' | 'python';
export const KINDS: readonly Kind[] = ['serve', 'node', 'python'];

/** A running program. */
export interface Program {
  readonly process: ChildProcess;
  /** Resolves when the process has ended, however, and everything it said is in the ledger. */
  readonly ended: Promise<void>;
  /** Resolves when it begins to open the directory; `false` if it ended before. */
  readonly opening: Promise<boolean>;
  /** Resolves when the directory is open and everything in it recovered; `false` if it ended before. */
  readonly open: Promise<boolean>;
  /** The end of what it wrote on standard error. */
  said(): string;
  /** Puts load on it until it is gone, or until that is stopped. */
  load(): Load;
}

export interface Load {
  stop(): void;
  readonly over: Promise<void>;
}

/** What a program runs with. */
export interface Start {
  readonly directory: string;
  readonly ledger: Ledger;
  /** Variables of the environment. */
  readonly settings: Readonly<Record<string, string>>;
  /** The standalone binary. */
  readonly binary: string;
}

/** Requests of one program of its own. */
const MOST = 30_000;
const SENDERS = 6;

export function start(kind: Kind, { directory, ledger, settings, binary }: Start): Program {
  const options = {
    stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', NAPI_RS_NATIVE_LIBRARY_PATH: failpointsAddon(), ...settings },
  };
  if (kind === 'serve') {
    const listen = ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0'];
    const child = spawn(binary, ['serve', '--output-dir', directory, ...listen], options);
    let http: URL | undefined;
    let found = 0;
    const program = watch(child, line => {
      const match = /^listening on (http:\/\/[0-9.:]+)/.exec(line);
      if (match?.[1] === undefined) return undefined;
      http = new URL(match[1]);
      found += 1;
      return found === 2 ? 'open' : undefined;
    });
    return { ...program, opening: Promise.resolve(true), load: () => send(http, ledger) };
  }
  const range = [String(ledger.reserve(MOST)), String(MOST)];
  const [command, script] =
    kind === 'node'
      ? [process.execPath, fileURLToPath(new URL('./programs/node.js', import.meta.url))]
      : [PYTHON, join(ROOT, 'test/crash/programs/program.py')];
  const child = spawn(command, [script, directory, ...range], options);
  const program = watch(child, line => {
    const [word, id] = line.split(' ');
    if (word === 'sent') ledger.send(Number(id));
    if (word === 'kept') ledger.acknowledge(Number(id));
    return word === 'opening' || word === 'open' ? word : undefined;
  });
  // It sends from the moment it is open until it is killed.
  return { ...program, load: () => ({ stop: () => {}, over: program.ended }) };
}

type State = 'opening' | 'open';

function watch(child: ChildProcess, hear: (line: string) => State | undefined) {
  const reached: Record<State, (reached: boolean) => void> = { opening: () => {}, open: () => {} };
  const opening = new Promise<boolean>(resolve => {
    reached.opening = resolve;
  });
  const open = new Promise<boolean>(resolve => {
    reached.open = resolve;
  });
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  const lines = createInterface(child.stdout!);
  lines.on('line', line => {
    const state = hear(line);
    if (state !== undefined) reached[state](true);
  });
  const heard = new Promise<void>(resolve => lines.once('close', () => resolve()));
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()));
  const ended = Promise.all([heard, closed]).then(() => {
    reached.opening(false);
    reached.open(false);
  });
  return { process: child, ended, opening, open, said: () => errors };
}

/** Sends requests to a service, one after the other for each of the senders. */
function send(address: URL | undefined, ledger: Ledger): Load {
  let over = address === undefined;
  const sender = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!over) {
      const id = ledger.next();
      const { path, body } = request(id);
      const status = await post(new URL(path, address), body, agent);
      if (status === 200) ledger.acknowledge(id);
      if (status === undefined) break;
    }
    agent.destroy();
  };
  const senders = Promise.all(Array.from({ length: SENDERS }, sender));
  return {
    stop: () => {
      over = true;
    },
    over: senders.then(() => {}),
  };
}

function post(url: URL, text: string, agent: Agent): Promise<number | undefined> {
  return new Promise(resolve => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const outgoing = httpRequest(url, { method: 'POST', agent, headers }, response => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
      response.once('error', () => resolve(undefined));
    });
    outgoing.once('error', () => resolve(undefined));
    outgoing.end(text);
  });
}

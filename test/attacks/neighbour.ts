/** The well-behaved client beside an attack: each of its requests must be answered, and kept. */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { oneSpan, PROTOBUF, TRACES } from './telemetry.js';

/** What it did. */
export interface Served {
  readonly requests: number;
  /** The slowest of them, in milliseconds. */
  readonly slowest: number;
}

export class Neighbour {
  #over = false;
  readonly #work: Promise<Served>;

  /** Exports a span every ten milliseconds, each after the last was answered, over one connection. */
  constructor(port: number) {
    this.#work = this.#run(port);
    this.#work.catch(() => undefined);
  }

  /** Ends it, after a request that began when the attack was over. Rejects where one was not answered as it should. */
  stop(): Promise<Served> {
    this.#over = true;
    return this.#work;
  }

  async #run(port: number): Promise<Served> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let [requests, slowest] = [0, 0];
    try {
      for (let last = false; !last; ) {
        last = this.#over;
        const began = performance.now();
        await exported(port, agent);
        slowest = Math.max(slowest, performance.now() - began);
        requests += 1;
        await pause(10);
      }
    } finally {
      agent.destroy();
    }
    return { requests, slowest };
  }
}

/** One export that must be answered with 200. A connection of a keep-alive pool that was just closed is opened again. */
export function exported(port: number, agent?: Agent): Promise<void> {
  const body = oneSpan('neighbour', 'kept');
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method: 'POST', path: TRACES, timeout: 30_000, ...(agent && { agent }) };
    const sent = request(
      { ...options, headers: { 'content-type': PROTOBUF, 'content-length': body.length } },
      answer => {
        answer.resume();
        answer.once('end', () =>
          answer.statusCode === 200
            ? resolve()
            : reject(new Error(`the client beside it was answered ${answer.statusCode}`)),
        );
      },
    );
    sent.once('timeout', () => sent.destroy(new Error('the client beside it was not answered in 30 s')));
    sent.once('error', error =>
      sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        ? exported(port).then(resolve, reject)
        : reject(error),
    );
    sent.end(body);
  });
}

import { BroadcastChannel, getEnvironmentData, setEnvironmentData, threadId, type Worker } from 'node:worker_threads';

/** What worker threads find the shared board under. */
const BOARD = 'otlp-arrow/register';
const SLOTS = 512;

/** How it stands with a worker: each has a slot, and beside it the time of the last change. */
const STATE = { gone: 0, idle: 1, handedOver: 2, gathering: 3 } as const;

/** How long the end of the program waits for workers that hold records, in milliseconds. */
const HOLDING_MS = 500;
/** For those that hold none, and may be blocked: they are asked for their metrics only. */
const IDLE_MS = 50;
/** What was handed over is committed by then, also if its worker is blocked and cannot say so. */
const COMMITTED_MS = 200;

/** Small enough for a slot; only differences are read. */
const clock = (): number => Date.now() & 0x3fffffff;
const channelName = (): string => `${BOARD}/${process.pid}`;

function board(): Int32Array | undefined {
  const shared = getEnvironmentData(BOARD) as unknown;
  return shared instanceof SharedArrayBuffer ? new Int32Array(shared) : undefined;
}

/** The first cell is what the main thread sleeps on; two for each slot follow. */
const cell = (id: number): number => 1 + 2 * (id % SLOTS);

function set(cells: Int32Array, id: number, state: number): void {
  Atomics.store(cells, cell(id) + 1, clock());
  Atomics.store(cells, cell(id), state);
  Atomics.add(cells, 0, 1);
  Atomics.notify(cells, 0);
}

/**
 * In the main thread: what asks all workers to keep what they have, and waits for them, within a bound and only as long as
 * one of them holds something. No promise is waited for: it is called when the program ends.
 */
export function workers(): () => void {
  const cells = new Int32Array(new SharedArrayBuffer(4 * (1 + 2 * SLOTS)));
  setEnvironmentData(BOARD, cells.buffer as unknown as string);
  freeSlots(cells);

  return () => {
    if (
      !Array.from({ length: SLOTS }, (_, slot) => Atomics.load(cells, cell(slot))).some(state => state > STATE.gone)
    ) {
      return;
    }
    const channel = new BroadcastChannel(channelName());
    channel.postMessage('end');
    const started = performance.now();
    for (;;) {
      const seen = Atomics.load(cells, 0);
      const passed = performance.now() - started;
      const wait = longest(cells) - passed;
      if (wait <= 0) break;
      Atomics.wait(cells, 0, seen, wait);
    }
    channel.close();
  };
}

/** How long after the request somebody is still to be waited for. */
function longest(cells: Int32Array): number {
  let longest = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    const state = Atomics.load(cells, cell(slot));
    if (state === STATE.gathering) return HOLDING_MS;
    if (state === STATE.gone) continue;
    const age = (clock() - Atomics.load(cells, cell(slot) + 1)) & 0x3fffffff;
    const fresh = state === STATE.handedOver && age < COMMITTED_MS;
    longest = Math.max(longest, fresh ? COMMITTED_MS : IDLE_MS);
  }
  return longest;
}

/** A worker that is terminated says nothing any more. */
function freeSlots(cells: Int32Array): void {
  process.on('worker', (worker: Worker) => {
    const id = worker.threadId;
    worker.once('exit', () => set(cells, id, STATE.gone));
  });
}

/** What a gatherer of records tells about itself. */
export interface Holding {
  readonly waiting: boolean;
  readonly underWay: boolean;
}

/** In a worker: tells how it stands with the gatherers, and answers the main thread. */
export function asWorker(gatherers: readonly Holding[], flush: () => Promise<unknown>): () => void {
  const cells = board();
  // Its parent has no register, or another one.
  if (!cells) return () => undefined;
  freeSlots(cells);
  let ended = false;
  const tell = (): void => {
    if (ended) return;
    const state = gatherers.some(({ waiting }) => waiting)
      ? STATE.gathering
      : gatherers.some(({ underWay }) => underWay)
        ? STATE.handedOver
        : STATE.idle;
    set(cells, threadId, state);
  };
  const end = (): void => {
    ended = true;
    set(cells, threadId, STATE.gone);
  };
  tell();
  const channel = new BroadcastChannel(channelName());
  channel.onmessage = () => void flush().then(end, end);
  channel.unref();
  // After the library's own listener, which commits.
  process.on('exit', end);
  return tell;
}

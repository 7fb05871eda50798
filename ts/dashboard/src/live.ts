/**
 * What is committed, as it is committed: `/tail/{signal}`. Browsers open six connections to a host for all of their tabs, so one tab
 * holds the connection of a question and tells the others by a BroadcastChannel; a Web Lock decides which. A hidden tab lets others
 * have it, and goes on where it was when it is looked at again.
 */
import { type Signal, signal as state } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { type Given, question, together } from './api.js';

/** What a tail tells. */
export interface Update<T> {
  /** Records that were committed, the earliest first. */
  readonly rows: readonly T[];
  /** How many more there were than an event holds. */
  readonly dropped: number;
}

/** How a tail is. */
export type Connection = 'waiting' | 'open' | 'broken' | 'refused';

interface Message {
  readonly kind: 'rows' | 'connection' | 'who';
  readonly rows?: readonly unknown[];
  readonly dropped?: number;
  readonly cursor?: string;
  readonly connection?: Connection;
}

const LISTS = { traces: 'spans', logs: 'logs', metrics: 'points' } as const;

/** A tail that somebody listens to. */
export interface Tail {
  readonly connection: Signal<Connection>;
  close(): void;
}

/** Listens to what is committed of a signal, by the words of a filter, until it is closed. */
export function listen<T>(signal: keyof typeof LISTS, words: Given, on: (update: Update<T>) => void): Tail {
  const connection = state<Connection>('waiting');
  const path = question(`/tail/${signal}`, words);
  const channel = new BroadcastChannel(`otlp-arrow ${path}`);
  let cursor: string | undefined;
  let source: EventSource | undefined;
  let release: (() => void) | undefined;
  let waiting: AbortController | undefined;

  const tell = (message: Message) => {
    take(message);
    channel.postMessage(message);
  };
  const take = (message: Message) => {
    if (message.cursor !== undefined) cursor = message.cursor;
    if (message.connection !== undefined) connection.value = message.connection;
    if (message.kind === 'rows') on({ rows: (message.rows ?? []) as readonly T[], dropped: message.dropped ?? 0 });
  };
  channel.onmessage = event => {
    const message = event.data as Message;
    if (message.kind !== 'who') return take(message);
    // Somebody came later: they want to know how it is.
    if (source)
      channel.postMessage({ kind: 'connection', connection: connection.peek(), ...(cursor ? { cursor } : {}) });
  };

  const open = () => {
    source = new EventSource(question(`/tail/${signal}`, together(words, { cursor })));
    source.addEventListener(signal, event => {
      const data = JSON.parse(event.data) as { dropped: number; [list: string]: unknown };
      tell({
        kind: 'rows',
        rows: data[LISTS[signal]] as readonly unknown[],
        dropped: data.dropped,
        cursor: event.lastEventId,
      });
    });
    // With this name the tail says that it is there; a browser's own event of the name has no data.
    source.addEventListener('open', event => {
      const id = (event as MessageEvent).lastEventId;
      tell({ kind: 'connection', connection: 'open', ...(id ? { cursor: id } : {}) });
    });
    source.onerror = () =>
      tell({ kind: 'connection', connection: source?.readyState === EventSource.CLOSED ? 'refused' : 'broken' });
  };
  const hold = () => {
    if (waiting || document.visibilityState === 'hidden') return;
    waiting = new AbortController();
    const { signal: left } = waiting;
    channel.postMessage({ kind: 'who' });
    const held = () =>
      new Promise<void>(resolve => {
        // The lock may have been on its way when nobody wanted it any more.
        if (left.aborted) return resolve();
        release = resolve;
        open();
      });
    navigator.locks.request(`otlp-arrow ${path}`, { signal: left }, held).catch(() => undefined);
  };
  const leave = () => {
    waiting?.abort();
    waiting = undefined;
    source?.close();
    source = undefined;
    release?.();
    release = undefined;
  };
  const looked = () => (document.visibilityState === 'hidden' ? leave() : hold());
  document.addEventListener('visibilitychange', looked);
  hold();
  return {
    connection,
    close() {
      document.removeEventListener('visibilitychange', looked);
      leave();
      channel.close();
    },
  };
}

/** A tail as a list that does not jump: what came waits until somebody wants to see it. */
export interface Waiting<T> {
  /** How many came and are not shown. */
  readonly count: number;
  /** Those that came, the earliest first, the latest `most` of them. */
  readonly rows: readonly T[];
  readonly connection: Connection;
  /** Takes them: they are no longer waiting. */
  take(): readonly T[];
}

/** Gathers what is committed while `on`; `most` of it is kept. */
export function useTail<T>(signal: keyof typeof LISTS, words: Given, on: boolean, most = 1_000): Waiting<T> {
  const key = question(`/tail/${signal}`, words);
  const kept = useMemo(
    () => ({ rows: state<readonly T[]>([]), count: state(0), connection: state<Connection>('waiting') }),
    [key],
  );
  useEffect(() => {
    if (!on) return;
    const tail = listen<T>(signal, words, ({ rows, dropped }) => {
      kept.rows.value = [...kept.rows.peek(), ...rows].slice(-most);
      kept.count.value += rows.length + dropped;
    });
    const stop = tail.connection.subscribe(value => {
      kept.connection.value = value;
    });
    return () => {
      stop();
      tail.close();
    };
  }, [key, on]);
  return {
    count: kept.count.value,
    rows: kept.rows.value,
    connection: kept.connection.value,
    take() {
      const rows = kept.rows.peek();
      kept.rows.value = [];
      kept.count.value = 0;
      return rows;
    },
  };
}

/** The records that are shown: those of the list as far as somebody has scrolled, and in front of them what came since. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, ask, together } from '../../api.js';
import { prepended, unknownOf } from '../../figures/records.js';
import type { Connection } from '../../live.js';
import { isLive, tick } from '../../state/range.js';
import type { Words } from '../../state/url.js';
import type { LogRecord, Logs, Searched } from '../../wire.js';

/** Records that are asked for at once. */
const PAGE = 300;
/** Records that are kept of what flows in; who scrolls for older ones may have more of them. */
const KEPT = 5_000;
const MOST = 100_000;

interface Shown {
  readonly rows: readonly LogRecord[];
  readonly cursor?: string | undefined;
  readonly searched?: Searched;
  readonly error?: ApiError | undefined;
  /** Of which question they are. */
  readonly key: string;
  readonly isAnswered: boolean;
  readonly isCut: boolean;
  /** The list as it was answered, while a tail may tell it again. */
  readonly first: readonly LogRecord[];
}

export interface Records {
  readonly rows: readonly LogRecord[];
  readonly searched: Searched | undefined;
  readonly error: ApiError | undefined;
  readonly isAnswered: boolean;
  readonly isStale: boolean;
  readonly isCut: boolean;
  readonly hasMore: boolean;
  readonly isTop: boolean;
  readonly setTop: (isTop: boolean) => void;
  /** Grows when the list is to be scrolled to its top. */
  readonly jumps: number;
  readonly toTop: () => void;
  readonly more: () => void;
  readonly again: () => void;
  readonly add: (rows: readonly LogRecord[]) => void;
}

const told = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError('INTERNAL', String(error), 0);

/** `filter` is what is asked for and `key` tells it from others; while a tail is `waiting` nothing is asked, so that nothing is missed between the two. */
export function useRecords(filter: Words, key: string, connection: Connection): Records {
  const [shown, show] = useState<Shown>({ rows: [], key: '', isAnswered: false, isCut: false, first: [] });
  const [isTop, setTop] = useState(true);
  const [jumps, jump] = useState(0);
  const [asked, askAgain] = useState(0);
  const loading = useRef<AbortController | undefined>(undefined);
  const ready = connection !== 'waiting';
  // Where there is no tail the list is asked for with every tick.
  const beat = isLive.value && connection === 'refused' && isTop ? tick.value : 0;

  useEffect(() => {
    if (!ready) return;
    loading.current?.abort();
    const controller = new AbortController();
    loading.current = controller;
    ask<Logs>('/logs', together(filter, { limit: PAGE }), controller.signal, true).then(
      ({ logs, cursor, searched }) => {
        loading.current = undefined;
        show({ rows: logs, cursor, searched, key, isAnswered: true, isCut: false, first: logs });
        if (beat === 0) jump(n => n + 1);
      },
      error => {
        if (controller.signal.aborted) return;
        loading.current = undefined;
        show(old => ({ ...old, key, isAnswered: true, error: told(error), rows: old.key === key ? old.rows : [] }));
      },
    );
    return () => controller.abort();
  }, [key, ready, asked, beat]);

  const more = () => {
    const { cursor, rows } = shown;
    if (loading.current || cursor === undefined || shown.key !== key || shown.isCut || rows.length >= MOST) return;
    const controller = new AbortController();
    loading.current = controller;
    ask<Logs>('/logs', together(filter, { limit: PAGE, cursor }), controller.signal, true).then(
      next => {
        loading.current = undefined;
        show(old =>
          old.cursor === cursor && !old.isCut
            ? { ...old, rows: [...old.rows, ...next.logs], cursor: next.cursor, error: undefined }
            : old,
        );
      },
      error => {
        if (controller.signal.aborted) return;
        loading.current = undefined;
        show(old => ({ ...old, error: told(error) }));
      },
    );
  };
  return {
    rows: shown.rows,
    searched: shown.searched,
    error: shown.error,
    isAnswered: shown.isAnswered && shown.key === key,
    isStale: shown.key !== key,
    isCut: shown.isCut,
    hasMore: shown.cursor !== undefined || shown.isCut,
    isTop,
    setTop,
    jumps,
    toTop: () => jump(n => n + 1),
    more,
    again: () => askAgain(n => n + 1),
    add(rows) {
      show(old => {
        if (old.key !== key) return old;
        const fresh = unknownOf(rows, old.first);
        // Who scrolled far down for older ones keeps those until the list is at its top again.
        const next = prepended(old.rows, fresh, KEPT);
        // What a tail tells now was committed behind the list: it is not compared again.
        return {
          ...old,
          ...next,
          isCut: old.isCut || next.isCut,
          first: fresh.length > 0 && fresh.length === rows.length ? [] : old.first,
        };
      });
    },
  };
}

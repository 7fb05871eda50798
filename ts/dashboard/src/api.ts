/** Questions to `/api/v1`, and answers that components are drawn of. */
import { signal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { isLive, tick } from './state/range.js';
import { queryOf, type Words } from './state/url.js';

const API = '/api/v1';

/** Why there is no answer: `code` is of docs/reference.md, or OFFLINE where nobody answers. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Values of words; what is undefined is left out. */
export type Given = Words | { readonly [word: string]: string | number | readonly string[] | undefined };

/** Words of several sources, later ones instead of earlier ones. */
export function together(...given: readonly Given[]): Words {
  const words = new Map<string, readonly string[]>();
  for (const some of given) {
    const entries = some instanceof Map ? [...some] : Object.entries(some);
    for (const [name, value] of entries) {
      if (value === undefined) continue;
      words.set(name, Array.isArray(value) ? value : [String(value)]);
    }
  }
  return words;
}

/** The address of a question. `path` has its segments encoded: see {@link at}. */
export function question(path: string, given: Given = {}): string {
  const query = queryOf(together(given));
  return `${API}${path}${query === '' ? '' : `?${query}`}`;
}

/** A path of segments that may hold anything: at`/traces/${id}`. */
export const at = (parts: TemplateStringsArray, ...segments: readonly string[]): string =>
  parts.map((part, i) => part + (i < segments.length ? encodeURIComponent(segments[i]!) : '')).join('');

/** Questions on their way. */
let asked = 0;
export const isAsking = (): boolean => asked > 0;

async function answered(url: string, init: RequestInit): Promise<Response> {
  asked += 1;
  try {
    let response: Response;
    try {
      // The browser keeps answers by their ETag and asks whether they are still right.
      response = await fetch(url, init);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiError(
        'OFFLINE',
        'Nobody answers: the recorder or `otlp-arrow ui` has ended, or was started anew elsewhere.',
        0,
      );
    }
    if (response.ok) return response;
    const text = await response.text();
    let told: { code?: string; message?: string } = {};
    try {
      told = JSON.parse(text);
    } catch {
      told.message = text.slice(0, 500);
    }
    throw new ApiError(told.code ?? `HTTP ${response.status}`, told.message ?? response.statusText, response.status);
  } finally {
    asked -= 1;
  }
}

/** Asks, and reads the answer. Integers beyond 2^53 are bigints where `exact` says so. */
export async function ask<T>(path: string, given: Given = {}, signal?: AbortSignal, exact = false): Promise<T> {
  const response = await answered(question(path, given), {
    headers: { accept: 'application/json' },
    ...(signal ? { signal } : {}),
  });
  return exact ? (parsed(await response.text()) as T) : ((await response.json()) as T);
}

/** Asks for the form that people and agents read. */
export async function askText(path: string, given: Given = {}): Promise<string> {
  const response = await answered(question(path, together(given, { format: 'text' })), {
    headers: { accept: 'text/plain' },
  });
  return response.text();
}

/** Changes something: a POST of JSON, which no form of another page sends. */
export async function act<T>(path: string, body: object = {}): Promise<T> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return (await answered(API + path, init)).json() as Promise<T>;
}

/** Reads JSON; integers that a number does not hold exactly are bigints, where the browser tells their digits. */
export function parsed(text: string): unknown {
  const revive = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context!.source!)
      : value;
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
}

/** An answer as it comes. The last one stays while the next is on its way, or failed. */
export interface Answered<T> {
  readonly answer: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** Whether the answer is of another question than the one that is asked now. */
  readonly stale: boolean;
  /** Asks again. */
  readonly again: () => void;
}

/** How a question is asked over and over. */
export interface Asking {
  /** Asks again with each tick of a live range; yes if it is left out. */
  readonly live?: boolean;
  /** Integers beyond 2^53 are bigints. */
  readonly exact?: boolean;
}

/**
 * Asks a question and draws the component when it is answered; a question that is no longer wanted is ended. `path` null
 * asks nothing.
 */
export function useAnswer<T>(path: string | null, given: Given = {}, how: Asking = {}): Answered<T> {
  const url = path === null ? null : question(path, given);
  const state = useMemo(
    () =>
      signal<{ url: string | null; answer?: T; error?: ApiError; loading: boolean }>({
        url: null,
        loading: url !== null,
      }),
    [],
  );
  const wanted = useMemo(() => signal(url), []);
  const again = useMemo(() => signal(0), []);
  const live = useRef(how.live !== false);
  live.current = how.live !== false;
  useEffect(() => {
    wanted.value = url;
  }, [url]);
  useSignalEffect(() => {
    const url = wanted.value;
    void again.value;
    if (url === null) {
      state.value = { url: null, loading: false };
      return;
    }
    const controller = new AbortController();
    state.value = { ...state.peek(), loading: true };
    const [path = '', query = ''] = url.slice(API.length).split('?');
    ask<T>(query === '' ? path : `${path}?${query}`, {}, controller.signal, how.exact).then(
      answer => {
        if (!controller.signal.aborted) state.value = { url, answer, loading: false };
      },
      error => {
        if (controller.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError('INTERNAL', String(error), 0);
        const { answer } = state.peek();
        state.value = { url, error: told, loading: false, ...(answer === undefined ? {} : { answer }) };
      },
    );
    return () => controller.abort();
  });
  const seen = useRef(tick.peek());
  useSignalEffect(() => {
    if (!isLive.value || tick.value === seen.current) return;
    seen.current = tick.value;
    if (live.current) again.value = again.peek() + 1;
  });
  const { answer, error, loading } = state.value;
  return {
    answer,
    error,
    loading: loading || state.value.url !== url,
    stale: state.value.url !== url,
    again: () => {
      again.value += 1;
    },
  };
}

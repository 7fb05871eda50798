/**
 * The state is the URL: `/ui/PAGE/…?words`. Pages read words and write words here, and keep nothing of their own that somebody could
 * want to send to a colleague. Words that the API knows have the API's names.
 */
import { batch, computed, signal } from '@preact/signals';

/** Where all pages are. */
export const ROOT = '/ui';

/** Words that stay when somebody goes to another page. */
const SHARED = ['service', 'from', 'to', 'live'] as const;

/** Words by name; each may be given several times. */
export type Words = ReadonlyMap<string, readonly string[]>;

/** What is to be changed: null takes a word out. */
export type Change = { readonly [word: string]: string | number | readonly string[] | null | undefined };

interface Place {
  readonly path: readonly string[];
  readonly query: string;
}

const placeOf = (url: { pathname: string; search: string }): Place => ({
  path: url.pathname
    .replace(/^\/ui(?=\/|$)/, '')
    .split('/')
    .filter(segment => segment !== '')
    .map(decoded),
  query: url.search.replace(/^\?/, ''),
});

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

const place = signal<Place>(placeOf(globalThis.location ?? { pathname: '/', search: '' }));

/** The name of the page. */
export const page = computed(() => place.value.path[0] ?? 'overview');

/** What is behind it: the id of a trace, the name of a metric. */
export const below = computed(() => place.value.path.slice(1), { name: 'below' });

/** Reads the words of a query string, those without a value left out. */
export function wordsOf(query: string): Words {
  const words = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (value !== '') words.set(name, [...(words.get(name) ?? []), value]);
  }
  return words;
}

/** Writes words as a query string that people can read. */
export function queryOf(words: Words): string {
  const text = [...words].flatMap(([name, values]) => values.map(value => `${name}=${escaped(value)}`));
  return text.join('&');
}

const escaped = (value: string) =>
  encodeURIComponent(value).replace(/%(?:3A|2F|2C|3D|3E|3C|40|7E|20|21)/g, code =>
    code === '%20' ? '+' : (READABLE[code] ?? code),
  );
const READABLE: { readonly [code: string]: string } = {
  '%3A': ':',
  '%2F': '/',
  '%2C': ',',
  '%3D': '=',
  '%40': '@',
  '%7E': '~',
  '%21': '!',
};

/** The words of the URL. */
export const words = computed(() => wordsOf(place.value.query));

/** The value of a word; undefined where it is not given. Components that call it are drawn again when it changes. */
export const word = (name: string): string | undefined => words.value.get(name)?.[0];

/** All values of a word. */
export const all = (name: string): readonly string[] => words.value.get(name) ?? [];

/** The words that these names have in the URL, for a question. */
export function picked(names: readonly string[]): Words {
  return new Map(names.flatMap(name => (all(name).length > 0 ? [[name, all(name)] as const] : [])));
}

/** `old` with a change. */
export function changed(old: Words, change: Change): Words {
  const next = new Map(old);
  for (const [name, value] of Object.entries(change)) {
    const values = value === null || value === undefined ? [] : Array.isArray(value) ? value : [String(value)];
    if (values.length === 0 || (values.length === 1 && values[0] === '')) next.delete(name);
    else next.set(name, values);
  }
  return next;
}

function address(path: readonly string[], words: Words): string {
  const query = queryOf(words);
  return `${ROOT}/${path.map(encodeURIComponent).join('/')}${query === '' ? '' : `?${query}`}`;
}

/** The address of a page: with the words that pages share, and with these. */
export function href(path: string | readonly string[], change: Change = {}): string {
  const kept = new Map([...words.value].filter(([name]) => (SHARED as readonly string[]).includes(name)));
  return address(typeof path === 'string' ? [path] : path, changed(kept, change));
}

/** The address of this page with other words. */
export const here = (change: Change): string => address(place.value.path, changed(words.value, change));

/** Goes to an address of ours. */
export function go(url: string, how: { replace?: boolean } = {}): void {
  const next = new URL(url, globalThis.location.href);
  if (next.pathname + next.search === globalThis.location.pathname + globalThis.location.search) return;
  if (how.replace) history.replaceState(null, '', next);
  else history.pushState(null, '', next);
  arrive();
}

/** Changes words of this page. What is typed or dragged replaces the entry of the history, so that "back" leaves the page. */
export const set = (change: Change, how: { replace?: boolean } = {}): void => go(here(change), how);

/** Adds a value to a word that may be repeated, or takes it away. */
export function toggle(name: string, value: string): void {
  const old = all(name);
  set({ [name]: old.includes(value) ? old.filter(other => other !== value) : [...old, value] });
}

function arrive(): void {
  batch(() => {
    const next = placeOf(globalThis.location);
    if (next.query !== place.value.query || next.path.join('/') !== place.value.path.join('/')) place.value = next;
  });
}

/** Follows "back" and "forward", and links of ours, from now on. */
export function follow(): void {
  addEventListener('popstate', arrive);
  document.addEventListener('click', event => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname !== '/' && link.pathname !== ROOT && !link.pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    go(link.href);
  });
}

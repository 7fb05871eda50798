/** Views that somebody wants to come back to: links with a name, kept by the browser. A colleague is sent the link itself. */
import { signal } from '@preact/signals';

const KEY = 'otlp-arrow views';
/** A list that nobody reads is none. */
const MOST = 100;

export interface View {
  readonly name: string;
  /** Path and query, from `/ui/` on. */
  readonly url: string;
}

/** What is kept under a name, whoever wrote it: only addresses of ours are views. */
export function viewsOf(text: string | null): readonly View[] {
  let kept: unknown;
  try {
    kept = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  const isView = (one: unknown): one is View => {
    const { name, url } = (one ?? {}) as { name?: unknown; url?: unknown };
    return typeof name === 'string' && typeof url === 'string' && url.startsWith('/ui/');
  };
  return Array.isArray(kept)
    ? kept
        .filter(isView)
        .slice(0, MOST)
        .map(({ name, url }) => ({ name, url }))
    : [];
}

/** With one more, or with another address under a name that is there. */
export function withView(views: readonly View[], view: View): readonly View[] {
  const at = views.findIndex(({ name }) => name === view.name);
  return at < 0 ? [...views, view].slice(-MOST) : views.map((old, i) => (i === at ? view : old));
}

function remembered(): readonly View[] {
  try {
    return viewsOf(localStorage.getItem(KEY));
  } catch {
    // Storage may be closed to pages.
    return [];
  }
}

export const views = signal<readonly View[]>(remembered());

/** Keeps these; false where the browser does not. */
export function keep(next: readonly View[]): boolean {
  views.value = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
    return true;
  } catch {
    return false;
  }
}

// Another tab may have kept one.
globalThis.addEventListener?.('storage', event => {
  if (event.key === KEY) views.value = viewsOf(event.newValue);
});

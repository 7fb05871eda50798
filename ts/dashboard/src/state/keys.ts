/** Keys: pages say which they take, `?` shows them. A key of two, such as `g t`, is typed one after the other. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

/** What a key does, and how that is called. */
export interface Key {
  readonly key: string;
  readonly text: string;
  readonly act: (event: KeyboardEvent) => void;
}

interface Group {
  readonly name: string;
  readonly keys: readonly Key[];
}

/** Everything that can be typed now; what was added last comes first. */
export const groups = signal<readonly Group[]>([]);

/** Whether the list of keys is shown. */
export const isHelpOpen = signal(false);

/** Shows the list of keys, or no longer. */
export function turnHelp(): void {
  isHelpOpen.value = !isHelpOpen.peek();
}

/** Adds keys until what is returned is called. */
export function addKeys(name: string, keys: readonly Key[]): () => void {
  const group = { name, keys };
  groups.value = [group, ...groups.peek()];
  return () => {
    groups.value = groups.peek().filter(other => other !== group);
  };
}

/** Keys of a component, as long as it is there. */
export function useKeys(name: string, keys: readonly Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const acting = keys.map(({ key, text }, i) => ({
      key,
      text,
      act: (event: KeyboardEvent) => latest.current[i]?.act(event),
    }));
    return addKeys(name, acting);
  }, [name, keys.map(({ key }) => key).join()]);
}

const TYPING = 'input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]';
/** How long the second key of two may take. */
const PATIENCE = 1_200;

/** Listens from now on. */
export function listenToKeys(): void {
  let before: { key: string; time: number } | undefined;
  document.addEventListener('keydown', event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = (event.target as Element | null)?.matches?.(TYPING);
    if (typing && event.key !== 'Escape') return;
    const first = before && event.timeStamp - before.time < PATIENCE ? `${before.key} ` : '';
    before = undefined;
    for (const wanted of first === '' ? [event.key] : [first + event.key, event.key]) {
      const found = groups
        .peek()
        .flatMap(({ keys }) => keys)
        .find(({ key }) => key === wanted);
      if (found) {
        event.preventDefault();
        found.act(event);
        return;
      }
    }
    const begins = groups.peek().some(({ keys }) => keys.some(({ key }) => key.startsWith(`${event.key} `)));
    if (begins) before = { key: event.key, time: event.timeStamp };
  });
}

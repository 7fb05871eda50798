/** Light or dark: what the system wants until somebody chooses, which the browser remembers. */
import { computed, effect, signal } from '@preact/signals';

type Choice = 'system' | 'light' | 'dark';
const KEY = 'otlp-arrow theme';

const system = globalThis.matchMedia?.('(prefers-color-scheme: dark)');
const isSystemDark = signal(system?.matches ?? false);
system?.addEventListener('change', event => {
  isSystemDark.value = event.matches;
});

function remembered(): Choice {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    // Storage may be closed to pages: then nothing is remembered.
    return 'system';
  }
}

export const choice = signal<Choice>(remembered());

/** What is shown. */
export const theme = computed<'light' | 'dark'>(() =>
  choice.value === 'system' ? (isSystemDark.value ? 'dark' : 'light') : choice.value,
);

/** The other one from now on. */
export function turn(): void {
  choice.value = theme.peek() === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(KEY, choice.peek());
  } catch {
    // As above.
  }
}

/** Marks the document, which the style sheet goes by. */
export const applied = (): (() => void) =>
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });

/** A colour of the theme for a canvas: `colour('--line')`. */
export function colour(property: string): string {
  void theme.value;
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

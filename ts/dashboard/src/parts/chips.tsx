/** Filters that hold, each with what takes it away. */
import type { JSX } from 'preact';
import { all, set } from '../state/url.js';
import { Icon } from './icons.js';
import { line } from './text.js';

/** Words that are shown as chips, with how people call them. */
const NAMES: { readonly [word: string]: string } = {
  service: 'service',
  name: 'name',
  status: 'status',
  kind: 'kind',
  severity: 'severity',
  min_duration: 'at least',
  max_duration: 'at most',
  text: 'text',
  regex: 'regex',
  attr: '',
  resource: 'resource',
  trace: 'trace',
  span: 'span',
  group: 'group',
};

/** The chips of these words. */
export function Chips({ words = Object.keys(NAMES) }: { words?: readonly string[] }): JSX.Element | null {
  const chips = words.flatMap(word => all(word).map(value => ({ word, value })));
  if (chips.length === 0) return null;
  return (
    <ul class="chips" aria-label="Filters">
      {chips.map(({ word, value }) => (
        <li key={`${word} ${value}`} class="chip">
          {NAMES[word] !== '' && <b>{NAMES[word] ?? word}</b>}
          <span class="cut" title={line(value)}>
            {line(value)}
          </span>
          <button
            type="button"
            aria-label={`Remove the filter ${NAMES[word] ?? word} ${line(value)}`}
            onClick={() => set({ [word]: all(word).filter(other => other !== value) })}
          >
            <Icon name="close" size={10} />
          </button>
        </li>
      ))}
      {chips.length > 1 && (
        <li>
          <button type="button" class="plain" onClick={() => set(Object.fromEntries(words.map(word => [word, null])))}>
            Clear all
          </button>
        </li>
      )}
    </ul>
  );
}

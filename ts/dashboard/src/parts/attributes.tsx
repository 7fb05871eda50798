/** Attributes of a record or its resource: the type of each shown by a letter, and what can be done with it. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Attributes, AttributeValue } from '../wire.js';
import { Copy } from './copy.js';
import { filterBy } from './filter.js';
import { Icon } from './icons.js';
import { clean, line, link } from './text.js';

/** The letter of a type, as docs/schema.md has them, and its name. */
function typeOf(value: AttributeValue): readonly [letter: string, name: string] {
  if (value === null) return ['n', 'empty'];
  if (typeof value === 'string') return ['s', 'text'];
  if (typeof value === 'boolean') return ['b', 'true or false'];
  if (typeof value === 'bigint') return ['i', 'integer'];
  if (typeof value === 'number') return Number.isInteger(value) ? ['i', 'integer'] : ['d', 'number'];
  return Array.isArray(value) ? ['a', 'list'] : ['m', 'map'];
}

/** A value as text: what a filter compares. */
export function textOf(value: AttributeValue): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null ? json(value) : String(value);
}

/** JSON of a value, integers of any size included. */
export function json(value: unknown, indent = 0): string {
  const digits: string[] = [];
  const text = JSON.stringify(
    value,
    (_, inner: unknown) => (typeof inner === 'bigint' ? `\u0000${digits.push(inner.toString()) - 1}\u0000` : inner),
    indent,
  );
  return (text ?? 'null').replace(/"\\u0000(\d+)\\u0000"/g, (_, at: string) => digits[Number(at)]!);
}

/** The table. `of` says how a value is asked for: `attr` or `resource`; without it values cannot be filtered by. */
export function AttributeTable({
  attributes,
  of,
  title,
  filter = filterBy,
}: {
  readonly attributes: Attributes;
  readonly of?: 'attr' | 'resource';
  readonly title?: string;
  /** What filtering by a value does; on the page at hand if it is left out. */
  readonly filter?: (by: string, value: string, is: boolean) => void;
}): JSX.Element | null {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return null;
  return (
    <section class="attributes">
      {title && (
        <h3>
          {title} <span class="quiet">{entries.length}</span>
        </h3>
      )}
      <dl>
        {entries.map(([key, value]) => (
          <Attribute key={key} name={key} value={value} of={of} filter={filter} />
        ))}
      </dl>
    </section>
  );
}

/** Characters of a value that are shown until somebody wants all of them. */
const SHOWN = 400;

function Attribute({
  name,
  value,
  of,
  filter,
}: {
  name: string;
  value: AttributeValue;
  of: 'attr' | 'resource' | undefined;
  filter: (by: string, value: string, is: boolean) => void;
}): JSX.Element {
  const [whole, showWhole] = useState(false);
  const [letter, type] = typeOf(value);
  const text = textOf(value);
  const target = link(text);
  const key = line(name);
  const shown = whole || text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
  return (
    <div class="attribute">
      <dt title={key}>
        <span class="type" title={type}>
          {letter}
        </span>
        <span class="cut">{key}</span>
      </dt>
      <dd>
        {target ? (
          <a href={target} target="_blank" rel="noreferrer noopener">
            {clean(shown)}
          </a>
        ) : (
          <span class={text === '' ? 'quiet' : ''}>{text === '' ? 'empty' : clean(shown)}</span>
        )}
        {text.length > SHOWN && (
          <button type="button" class="plain" onClick={() => showWhole(!whole)}>
            {whole ? 'Less' : `All ${text.length} characters`}
          </button>
        )}
        <span class="actions">
          {of && (
            <>
              <button
                type="button"
                class="icon-button"
                title={`Only ${key} = ${line(text)}`}
                aria-label={`Only ${key} = ${line(text)}`}
                onClick={() => filter(`${of}:${name}`, text, true)}
              >
                <Icon name="in" size={14} />
              </button>
              <button
                type="button"
                class="icon-button"
                title={`Not ${key} = ${line(text)}`}
                aria-label={`Not ${key} = ${line(text)}`}
                onClick={() => filter(`${of}:${name}`, text, false)}
              >
                <Icon name="out" size={14} />
              </button>
            </>
          )}
          <Copy text={text} label={`Copy the value of ${key}`} />
        </span>
      </dd>
    </div>
  );
}

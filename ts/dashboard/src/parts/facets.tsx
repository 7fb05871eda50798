/** Values of columns and attributes with how many records have each: a click leaves those, a click beside it leaves them out. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Given, useAnswer } from '../api.js';
import { all, set } from '../state/url.js';
import type { Facets as Answer, AttributeKeys, Facet } from '../wire.js';
import { conditionOf } from './filter.js';
import { Icon } from './icons.js';
import { Loading } from './states.js';
import { line } from './text.js';
import { count } from './time.js';

/** Attributes that are offered without being asked for. */
const MOST_KEYS = 4;

/** The facets of what `words` match: these columns, and the attributes that most records have, or that are in the URL as `facet`. */
export function Facets({
  signal,
  columns,
  words,
}: {
  signal: 'traces' | 'logs' | 'metrics';
  columns: readonly string[];
  words: Given;
}): JSX.Element {
  const keys = useAnswer<AttributeKeys>('/attributes', { ...Object.fromEntries(asEntries(words)), signal, limit: 60 });
  const [adding, add] = useState(false);
  const chosen = all('facet');
  const offered = (keys.answer?.attributes ?? []).map(
    ({ key, of }) => `${of === 'resource' ? 'resource' : 'attr'}:${key}`,
  );
  // What every record has with another value of its own tells nobody anything.
  const usual = offered
    .filter(by => !/service\.name|telemetry\.sdk|process\.|\.id$|host\./.test(by))
    .slice(0, MOST_KEYS);
  const by = [...columns, ...(chosen.length > 0 ? chosen : usual)];
  const ready = keys.answer !== undefined || keys.error !== undefined;
  const facets = useAnswer<Answer>(ready ? '/facets' : null, { ...Object.fromEntries(asEntries(words)), signal, by });
  // What is wrong is told once, beside it.
  if (facets.error && !facets.answer) return <div class="facets" />;
  if (!facets.answer) return <Loading lines={10} />;
  const { total } = facets.answer;
  const shown = facets.answer.facets.filter(({ values, by, distinct }) => {
    if (values.length === 0 || (values.length === 1 && values[0]!.value === null && columns.includes(by))) return false;
    // What is another value in most records is nothing to choose from.
    return columns.includes(by) || chosen.includes(by) || distinct < 50 || distinct < total / 4;
  });
  return (
    <div class={`facets ${facets.stale ? 'stale' : ''}`}>
      {shown.map(facet => (
        <Values key={facet.by} facet={facet} removable={chosen.includes(facet.by)} />
      ))}
      {adding ? (
        <form
          class="add-facet"
          onSubmit={event => {
            event.preventDefault();
            const value = new FormData(event.currentTarget).get('key');
            const key = typeof value === 'string' ? value.trim() : '';
            const found =
              offered.find(by => by === key || by.endsWith(`:${key}`)) ?? (key.includes(':') ? key : `attr:${key}`);
            if (key !== '')
              set({ facet: [...(chosen.length > 0 ? chosen : usual).filter(other => other !== found), found] });
            add(false);
          }}
        >
          <input
            name="key"
            list="facet-keys"
            placeholder="http.route"
            aria-label="Attribute"
            autocomplete="off"
            ref={element => element?.focus()}
            onKeyDown={event => event.key === 'Escape' && add(false)}
          />
          <datalist id="facet-keys">
            {offered.map(by => (
              <option key={by} value={by} />
            ))}
          </datalist>
        </form>
      ) : (
        <button type="button" class="plain" onClick={() => add(true)}>
          + Attribute
        </button>
      )}
    </div>
  );
}

const asEntries = (given: Given): [string, string | number | readonly string[] | undefined][] =>
  given instanceof Map
    ? [...given]
    : (Object.entries(given) as [string, string | number | readonly string[] | undefined][]);

const SHOWN = 6;

function Values({ facet, removable }: { facet: Facet; removable: boolean }): JSX.Element {
  const [open, setOpen] = useState(true);
  const [whole, showWhole] = useState(false);
  const name = facet.by.replace(/^(?:attr|resource):/, '');
  const most = Math.max(1, ...facet.values.map(({ count }) => count));
  const values = whole ? facet.values : facet.values.slice(0, SHOWN);
  return (
    <section class="facet">
      <h3>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name={open ? 'down' : 'right'} size={12} />
          <span class="cut" title={line(facet.by)}>
            {line(name)}
          </span>
          <span class="quiet">{facet.distinct}</span>
        </button>
        {removable && (
          <button
            type="button"
            class="icon-button"
            aria-label={`Do not show ${line(name)}`}
            onClick={() => set({ facet: all('facet').filter(by => by !== facet.by) })}
          >
            <Icon name="close" size={10} />
          </button>
        )}
      </h3>
      {open && (
        <ul>
          {values.map(({ value, count: n }) => {
            const [word, wanted, unwanted] = conditionOf(facet.by, value ?? '');
            const isOnly = all(word).includes(wanted);
            const isOut = all(word).includes(unwanted);
            const shown = value === null || value === '' ? 'none' : line(value);
            const flip = (to: string) =>
              set({
                [word]: all(word).includes(to)
                  ? all(word).filter(other => other !== to)
                  : [...all(word).filter(other => other !== wanted && other !== unwanted), to],
              });
            if (value === null && facet.by.includes(':')) return null;
            return (
              <li key={value} class={isOnly ? 'only' : isOut ? 'out' : ''}>
                <button type="button" class="value" aria-pressed={isOnly} title={shown} onClick={() => flip(wanted)}>
                  <i class="share" style={{ width: `${(100 * n) / most}%` }} />
                  <span class={value === null || value === '' ? 'cut quiet' : 'cut'}>{shown}</span>
                  <span class="number">{count(n)}</span>
                </button>
                <button
                  type="button"
                  class="icon-button"
                  aria-pressed={isOut}
                  aria-label={`Leave out ${line(name)} ${shown}`}
                  title="Leave out"
                  onClick={() => flip(unwanted)}
                >
                  <Icon name="out" size={12} />
                </button>
              </li>
            );
          })}
        </ul>
      )}
      {open && facet.values.length > SHOWN && (
        <button type="button" class="plain" onClick={() => showWhole(!whole)}>
          {whole ? 'Fewer' : `${facet.values.length - SHOWN} more`}
        </button>
      )}
    </section>
  );
}

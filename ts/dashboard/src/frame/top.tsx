/** The bar above: whose telemetry, of what time, whether it goes on, a search, the theme and the keys. */
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useAnswer } from '../api.js';
import { PAGES } from '../pages/list.js';
import { Icon } from '../parts/icons.js';
import { ServiceName } from '../parts/service.js';
import { count } from '../parts/time.js';
import { turnHelp, useKeys } from '../state/keys.js';
import { isLive, isRelative, rangeWords } from '../state/range.js';
import { theme, turn } from '../state/theme.js';
import { all, go, href, page, set, word } from '../state/url.js';
import type { Services } from '../wire.js';
import { Popover } from './popover.js';
import { RangePicker } from './range-picker.js';
import { Views } from './views.js';

export function Top(): JSX.Element {
  useKeys('Time', [
    {
      key: 'p',
      text: isLive.value ? 'Pause what is live' : 'Go on live',
      act: () => isRelative.value && set({ live: isLive.value ? 'off' : null }),
    },
    {
      key: 'r',
      text: 'Choose a range of time',
      act: () => document.querySelector<HTMLButtonElement>('.range > button')?.click(),
    },
    {
      key: 's',
      text: 'Choose services',
      act: () => document.querySelector<HTMLButtonElement>('.services > button')?.click(),
    },
  ]);
  const dark = theme.value === 'dark';
  return (
    <header class="top">
      <a class="brand" href="/ui/overview" title="otlp-arrow: to the overview">
        <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" fill="var(--brand)" />
          <g stroke="#fff" stroke-width="3.4" stroke-linecap="round">
            <path d="M7 10h14M11 16h14M11 22h7" />
          </g>
        </svg>
        <span>otlp-arrow</span>
      </a>
      <ServicePicker />
      <RangePicker />
      <LiveDot />
      <Search />
      <span class="spring" />
      <Views />
      <button
        type="button"
        class="icon-button"
        onClick={turn}
        title={`${dark ? 'Light' : 'Dark'} (T)`}
        aria-label={`Show it ${dark ? 'light' : 'dark'}`}
      >
        <Icon name={dark ? 'sun' : 'moon'} />
      </button>
      <button type="button" class="icon-button" onClick={turnHelp} title="Keys (?)" aria-label="Show the keys">
        <Icon name="help" />
      </button>
    </header>
  );
}

/** The dot that says whether new data appears; it stops and starts that. */
function LiveDot(): JSX.Element {
  if (!isRelative.value) {
    return (
      <button
        type="button"
        class="live off"
        title="The range has an end: choose one that ends now to see what comes"
        onClick={() => set({ from: null, to: null })}
      >
        <i class="dot" /> Fixed
      </button>
    );
  }
  const live = isLive.value;
  return (
    <button
      type="button"
      class={`live ${live ? 'on' : 'off'}`}
      aria-pressed={live}
      title={live ? 'New data appears: pause (p)' : 'Paused: go on (p)'}
      onClick={() => set({ live: live ? 'off' : null })}
    >
      <i class="dot" /> {live ? 'Live' : 'Paused'}
    </button>
  );
}

function ServicePicker(): JSX.Element {
  const [open, setOpen] = useState(false);
  const [typed, type] = useState('');
  const chosen = all('service');
  const services = useAnswer<Services>(open ? '/services' : null, rangeWords(), { live: false });
  const known = (services.answer?.services ?? []).filter(({ name }) =>
    name.toLowerCase().includes(typed.toLowerCase()),
  );
  const name = chosen.length === 0 ? 'All services' : chosen.length === 1 ? undefined : `${chosen.length} services`;
  const flip = (name: string) =>
    set({ service: chosen.includes(name) ? chosen.filter(other => other !== name) : [...chosen, name] });
  return (
    <Popover
      class="services"
      open={open}
      onOpen={setOpen}
      label="Services"
      button={name ?? <ServiceName name={chosen[0]!} />}
    >
      <input
        class="pick"
        type="search"
        placeholder="Find a service"
        aria-label="Find a service"
        value={typed}
        onInput={event => type(event.currentTarget.value)}
        ref={element => element?.focus()}
        onKeyDown={event => {
          if (event.key === 'Enter' && known[0]) {
            set({ service: [known[0].name] });
            setOpen(false);
          }
        }}
      />
      <ul class="menu">
        <li>
          <button type="button" aria-pressed={chosen.length === 0} onClick={() => set({ service: null })}>
            All services
          </button>
        </li>
        {known.map(({ name, requests }) => (
          <li key={name}>
            <button type="button" aria-pressed={chosen.includes(name)} onClick={() => flip(name)}>
              <ServiceName name={name} />
              <span class="number quiet">{count(requests)}</span>
            </button>
          </li>
        ))}
        {services.answer && known.length === 0 && (
          <li class="quiet pad">No service {typed === '' ? 'in this range of time' : 'is called so'}</li>
        )}
        {services.error && <li class="pad">{services.error.message}</li>}
      </ul>
    </Popover>
  );
}

/** What is in the box while somebody types. */
const typed = signal<string | undefined>(undefined);

const TRACE_ID = /^[0-9a-f]{32}$|^[0-9a-f]{8,16}$/i;

function Search(): JSX.Element {
  const box = useRef<HTMLInputElement>(null);
  const current = PAGES.find(({ name }) => name === page.value);
  const given = current?.searches ? (word('text') ?? (word('regex') === undefined ? '' : `/${word('regex')}/`)) : '';
  const submit = (event: Event) => {
    event.preventDefault();
    const text = (box.current?.value ?? '').trim();
    typed.value = undefined;
    box.current?.blur();
    if (TRACE_ID.test(text)) return go(href(['trace', text.toLowerCase()]));
    const regex = /^\/(.+)\/$/.exec(text);
    const change = { text: regex || text === '' ? null : text, regex: regex ? regex[1]! : null };
    if (current?.searches) set(change);
    else if (text !== '') go(href('traces', change));
  };
  return (
    <form class="search" role="search" onSubmit={submit}>
      <Icon name="search" size={14} />
      <input
        id="search"
        ref={box}
        type="search"
        value={typed.value ?? given}
        placeholder={
          current?.searches ? `Search ${current.title.toLowerCase()}, or a trace id` : 'Search traces, or a trace id'
        }
        aria-label="Search: a text, a regular expression between slashes, or the id of a trace"
        autocomplete="off"
        spellcheck={false}
        onInput={event => {
          typed.value = event.currentTarget.value;
        }}
        onBlur={() => {
          typed.value = undefined;
        }}
        onKeyDown={event => {
          if (event.key === 'Escape') box.current?.blur();
        }}
      />
      <kbd>/</kbd>
    </form>
  );
}

/** The range of time of all pages: one that ends now, or from here to there. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Icon } from '../parts/icons.js';
import { minute } from '../parts/time.js';
import { between, from, instant, last, RANGES, rangeName, to } from '../state/range.js';
import { Popover } from './popover.js';

export function RangePicker(): JSX.Element {
  const [open, setOpen] = useState(false);
  const [problem, tell] = useState('');
  const shown = (text: string, usual: string) => {
    const time = instant(text);
    return time === undefined ? usual : minute(time);
  };
  const name =
    rangeName() || `${shown(from.value, 'the beginning')} to ${to.value === 'now' ? 'now' : shown(to.value, to.value)}`;
  const apply = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const begin = instant(String(form.get('from')).trim());
    const end = instant(String(form.get('to')).trim());
    if (begin === undefined || end === undefined) return tell('Write times like 2026-11-30 14:05, or -2h');
    if (begin >= end) return tell('The beginning is behind the end');
    tell('');
    between(begin, end);
    setOpen(false);
  };
  return (
    <Popover
      class="range"
      open={open}
      onOpen={setOpen}
      label={`Range of time: ${name}`}
      button={
        <>
          <Icon name="clock" size={14} /> {name}
        </>
      }
    >
      <ul class="menu">
        {RANGES.map(([value, name]) => (
          <li key={value}>
            <button
              type="button"
              aria-pressed={from.value === value && to.value === 'now'}
              onClick={() => {
                last(value);
                setOpen(false);
              }}
            >
              {value === 'all' ? name : `Last ${name}`}
            </button>
          </li>
        ))}
      </ul>
      <form class="absolute" onSubmit={apply}>
        <label>
          From{' '}
          <input
            name="from"
            defaultValue={shown(from.value, '')}
            placeholder="2026-11-30 14:05"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <label>
          To{' '}
          <input name="to" defaultValue={shown(to.value, '')} placeholder="now" autocomplete="off" spellcheck={false} />
        </label>
        {problem !== '' && (
          <p role="alert" class="problem">
            {problem}
          </p>
        )}
        <button type="submit" class="button">
          Use this range
        </button>
        <p class="quiet">In the time zone of this browser</p>
      </form>
    </Popover>
  );
}

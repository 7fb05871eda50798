/** Log records: how many of each severity over time, the records newest first, and what comes as it comes. */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { together, useAnswer } from '../api.js';
import { marks } from '../figures/looked.js';
import { keyOf, levelOf, timeOf } from '../figures/records.js';
import { useTail } from '../live.js';
import { type Stack, stepFor, TimeBars } from '../parts/bars.js';
import { Chips } from '../parts/chips.js';
import { Facets } from '../parts/facets.js';
import { Icon } from '../parts/icons.js';
import { Rows } from '../parts/rows.js';
import { ServiceName } from '../parts/service.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { clean, line } from '../parts/text.js';
import { clock, count } from '../parts/time.js';
import { useKeys } from '../state/keys.js';
import { from, instant, isLive, isRelative, rangeWords, to } from '../state/range.js';
import { href, picked, set, word } from '../state/url.js';
import type { Counts, LogRecord } from '../wire.js';
import { Details } from './logs/details.js';
import { useRecords } from './logs/records.js';

/** Words that say which log records are meant. */
export const WORDS = [
  'service',
  'severity',
  'name',
  'text',
  'regex',
  'ignore_case',
  'trace',
  'span',
  'attr',
  'resource',
] as const;

/** From the bottom up: what matters stands on the ground, where it can be compared. */
const STACKS: readonly Stack[] = [
  { group: 'fatal', name: 'fatal', class: 'is-fatal' },
  { group: 'error', name: 'error', class: 'is-error' },
  { group: 'warn', name: 'warn', class: 'is-warn' },
  { group: 'info', name: 'info', class: 'is-info' },
  { group: 'debug', name: 'debug', class: 'is-debug' },
  { group: 'trace', name: 'trace', class: 'is-trace' },
  { group: null, name: 'none', class: 'is-none' },
];

/** What the least severity may be set to. */
const LEAST = [
  ['', 'All levels'],
  ['>=debug', 'debug and above'],
  ['>=info', 'info and above'],
  ['>=warn', 'warn and above'],
  ['>=error', 'error and above'],
] as const;

const ROW = 26;

export default function Logs(): JSX.Element {
  const filter = together(rangeWords(), picked(WORDS));
  const key = JSON.stringify([...filter]);
  const tail = useTail<LogRecord>('logs', picked(WORDS), isLive.value, 2_000);
  const records = useRecords(filter, key, isLive.value ? tail.connection : 'open');
  const { rows, isTop } = records;
  const step = stepFor(instant(from.value), instant(to.value), 80);
  const counts = useAnswer<Counts>('/logs/counts', together(filter, { by: 'severity', ...(step ? { step } : {}) }));
  const chosenKey = word('log');
  const chosen = chosenKey === undefined ? undefined : rows.findIndex(row => keyOf(row) === chosenKey);
  const wraps = word('wrap') === 'on';
  // Who reads at the top sees what comes; who has scrolled away, chosen a record or paused is told how many there are.
  const flows = isLive.value && isTop && chosenKey === undefined;
  const show = () => {
    records.add(tail.take());
    records.toTop();
  };
  useEffect(() => {
    if (flows && tail.rows.length > 0 && records.isAnswered) records.add(tail.take());
  }, [flows, tail.rows, records.isAnswered]);
  // What was asked for anew has what was waiting.
  useEffect(() => void tail.take(), [key]);
  const facets = word('facets') !== 'off';
  useKeys('Logs', [
    { key: 'w', text: 'Break long lines, or not', act: () => set({ wrap: wraps ? null : 'on' }) },
    { key: 'f', text: 'Show or hide what to filter by', act: () => set({ facets: facets ? 'off' : null }) },
    { key: 'n', text: 'Show what is new', act: show },
  ]);
  const looked = {
    ...(word('text') ? { text: word('text')! } : {}),
    ...(word('regex') ? { regex: word('regex')! } : {}),
    ...(word('ignore_case') === 'true' ? { ignore_case: 'true' as const } : {}),
  };

  return (
    <>
      {facets && (
        <aside class="side" aria-label="Filter by">
          <Facets signal="logs" columns={['service', 'severity', 'name']} words={filter} />
        </aside>
      )}
      <div class="page">
        <header class="page-head">
          <button
            type="button"
            class="icon-button"
            aria-pressed={facets}
            aria-label="What to filter by"
            title="What to filter by (f)"
            onClick={() => set({ facets: facets ? 'off' : null })}
          >
            <Icon name="overview" size={14} />
          </button>
          <h1>Logs</h1>
          <Chips words={WORDS.filter(word => word !== 'ignore_case')} />
          <span class="spring" />
          {(word('text') || word('regex')) && (
            <button
              type="button"
              class="button"
              aria-pressed={word('ignore_case') === 'true'}
              title="Upper and lower case are the same"
              onClick={() => set({ ignore_case: word('ignore_case') === 'true' ? null : 'true' })}
            >
              Aa
            </button>
          )}
          <select
            class="input"
            aria-label="Least severity"
            value={word('severity') ?? ''}
            onChange={event => set({ severity: event.currentTarget.value })}
          >
            {!LEAST.some(([value]) => value === (word('severity') ?? '')) && (
              <option value={word('severity')}>{word('severity')}</option>
            )}
            {LEAST.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
          <button
            type="button"
            class="button"
            aria-pressed={wraps}
            title="Break long lines (w)"
            onClick={() => set({ wrap: wraps ? null : 'on' })}
          >
            Wrap
          </button>
        </header>
        <div class="chart">
          {counts.answer && counts.answer.buckets.length > 0 ? (
            <TimeBars counts={counts.answer} stacks={STACKS} label="Log records over time" />
          ) : (
            <div class="bars-none" />
          )}
        </div>
        <SearchedNote searched={records.searched} />
        {records.error &&
          (rows.length === 0 ? (
            <Wrong error={records.error} again={records.again} />
          ) : (
            <p class="note" role="alert">
              {clean(records.error.message)}
            </p>
          ))}
        {!records.isAnswered && !records.error && rows.length === 0 && <Loading lines={12} />}
        {records.isAnswered && rows.length === 0 && !records.error && (
          <Empty title="No log record matches">
            <Hints searched={records.searched} />
            <p class="quiet">
              Take a filter away, or choose a longer range of time.
              {isLive.value && ' What comes appears here by itself.'}
            </p>
            <p>
              <button type="button" class="button" onClick={() => set({ from: 'all', to: null })}>
                Search everything
              </button>
            </p>
          </Empty>
        )}
        {rows.length > 0 && (
          <Rows
            label="Log records"
            class={`logs ${wraps ? 'wraps' : ''} ${records.isStale ? 'stale' : ''}`}
            items={rows}
            guess={ROW}
            measure={`${wraps}`}
            chosen={chosen === -1 ? undefined : chosen}
            onChoose={at => rows[at] && set({ log: keyOf(rows[at]) }, { replace: chosenKey !== undefined })}
            onTop={records.setTop}
            top={records.jumps}
            onSight={(_, last) => last > rows.length - 60 && records.more()}
            rowClass={row => `level-${levelOf(row)}`}
            row={row => <Line row={row} looked={looked} />}
          />
        )}
        {tail.count > 0 && !flows && isRelative.value && (
          <div class="new-pill">
            <button type="button" class="pill" onClick={show}>
              {count(tail.count)} new
            </button>
          </div>
        )}
        <p class="list-foot quiet" role="status">
          {count(rows.length)}
          {records.hasMore ? ' and more' : ''} {rows.length === 1 ? 'record' : 'records'}
          {records.isCut && (
            <>
              {' '}
              – older ones made room for new ones:{' '}
              <button type="button" class="plain" onClick={records.again}>
                ask again
              </button>
            </>
          )}
          {isLive.value &&
            tail.connection === 'refused' &&
            ' – the tail was refused (too many are open): the list is asked for again instead'}
          {isLive.value &&
            tail.connection === 'broken' &&
            ' – nobody answers: it goes on where it was when somebody does'}
        </p>
      </div>
      {chosenKey !== undefined && (
        <Details row={chosen === undefined || chosen < 0 ? undefined : rows[chosen]} id={chosenKey} />
      )}
    </>
  );
}

/** One record in one line, or in as many as it takes. */
function Line({ row, looked }: { row: LogRecord; looked: Parameters<typeof marks>[1] }): JSX.Element {
  const level = levelOf(row);
  const time = timeOf(row);
  return (
    <>
      <span class="time number quiet">{time === null ? 'no time' : clock(time)}</span>
      <span class={`level ${level}`}>{level === 'none' ? '' : level}</span>
      <ServiceName name={row.service} />
      <span class="body">
        {row.event_name && <b class="tag">{line(row.event_name)}</b>}
        <Marked text={row.body ?? ''} looked={looked} />
      </span>
      {row.trace_id && (
        <a
          class="to-trace"
          href={href(['trace', row.trace_id], { span: row.span_id ?? null })}
          title="To the trace"
          aria-label="To the trace"
          tabIndex={-1}
        >
          <Icon name="traces" size={13} />
        </a>
      )}
    </>
  );
}

/** What was looked for stands out. */
function Marked({ text, looked }: { text: string; looked: Parameters<typeof marks>[1] }): JSX.Element {
  // What is in a list is not read to its end; the drawer has all of it.
  const shown = text.length > 4_000 ? `${text.slice(0, 4_000)}…` : text;
  const found = marks(shown, looked);
  if (found.length === 0) return <>{clean(shown)}</>;
  const parts: JSX.Element[] = [];
  let done = 0;
  for (const [begin, end] of found) {
    parts.push(
      <span key={done}>{clean(shown.slice(done, begin))}</span>,
      <mark key={`m${begin}`}>{clean(shown.slice(begin, end))}</mark>,
    );
    done = end;
  }
  return (
    <>
      {parts}
      {clean(shown.slice(done))}
    </>
  );
}

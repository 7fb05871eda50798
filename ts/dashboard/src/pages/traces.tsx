/** Traces: how many over time, how long each took, and the list; facets at the left leave those that matter. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ask, together, useAnswer } from '../api.js';
import { Drawer } from '../frame/drawer.js';
import { useTail } from '../live.js';
import { type Stack, stepFor, TimeBars } from '../parts/bars.js';
import { Chips } from '../parts/chips.js';
import { Copy } from '../parts/copy.js';
import { Facets } from '../parts/facets.js';
import { Icon } from '../parts/icons.js';
import { List } from '../parts/list.js';
import { ServiceName, Stripe } from '../parts/service.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { line } from '../parts/text.js';
import { clock, count, duration } from '../parts/time.js';
import { useKeys } from '../state/keys.js';
import { from, instant, isLive, rangeWords, to } from '../state/range.js';
import { go, href, picked, set, word } from '../state/url.js';
import type { Counts, Search, Span, TraceSummary } from '../wire.js';
import { Scatter } from './traces/scatter.js';

/** Words that say which traces are meant. */
export const WORDS = [
  'service',
  'name',
  'status',
  'kind',
  'min_duration',
  'max_duration',
  'text',
  'regex',
  'attr',
  'resource',
] as const;

/** Traces that are asked for at once. */
const PAGE = 200;
const ROW = 34;

const STACKS: readonly Stack[] = [
  { group: 'error', name: 'errors', class: 'is-error' },
  { group: 'unset', name: 'spans', class: 'is-usual' },
];

export default function Traces(): JSX.Element {
  const filter = together(rangeWords(), picked(WORDS));
  const [isTop, setTop] = useState(true);
  const chosenId = word('trace');
  const [isEmpty, setEmpty] = useState(false);
  // Nothing jumps away under who reads; where there is nothing to read, it may.
  const steady = isEmpty || (isTop && chosenId === undefined);
  const found = useAnswer<Search>('/traces', together(filter, { limit: PAGE, order: word('order') }), { live: steady });
  const [more, setMore] = useState<{ key: unknown; traces: readonly TraceSummary[]; cursor: string | undefined }>();
  const [problem, setProblem] = useState<Error>();
  const step = stepFor(instant(from.value), instant(to.value), 80);
  const counts = useAnswer<Counts>('/traces/counts', together(filter, { by: 'status', ...(step ? { step } : {}) }));
  const tail = useTail<Span>('traces', picked(WORDS), isLive.value && !steady, 1_000);
  const fresh = new Set(
    tail.rows.filter(({ parent_span_id }) => parent_span_id === undefined).map(({ trace_id }) => trace_id),
  ).size;

  const isMore = more !== undefined && more.key === found.answer;
  const traces = useMemo(() => [...(found.answer?.traces ?? []), ...(isMore ? more.traces : [])], [found.answer, more]);
  const cursor = isMore ? more.cursor : found.answer?.cursor;
  const chosen = chosenId === undefined ? undefined : traces.findIndex(({ trace_id }) => trace_id === chosenId);
  const open = (at: number) => traces[at] && go(href(['trace', traces[at].trace_id]));
  const showing = word('view') ?? 'bars';
  // One that took very long would leave a dot of all others: the bar of the longest twentieth is full.
  const longest = useMemo(() => {
    const sorted = traces.map(({ duration }) => duration).sort((a, b) => a - b);
    return Math.max(1, sorted[Math.floor(sorted.length * 0.95)] ?? 1);
  }, [traces]);
  const loadMore = async () => {
    const key = found.answer;
    try {
      const next = await ask<Search>(
        '/traces',
        together(filter, { limit: PAGE, order: word('order'), cursor: cursor! }),
      );
      setMore({ key, traces: [...(isMore ? more.traces : []), ...next.traces], cursor: next.cursor });
    } catch (error) {
      setProblem(error as Error);
    }
  };
  const refresh = () => {
    tail.take();
    found.again();
    counts.again();
  };
  // What is shown anew is no longer waiting.
  useEffect(() => {
    tail.take();
    setEmpty(found.answer?.traces.length === 0);
  }, [found.answer]);
  useKeys('Traces', [
    {
      key: 'f',
      text: 'Show or hide what to filter by',
      act: () => set({ facets: word('facets') === 'off' ? null : 'off' }),
    },
    {
      key: 'b',
      text: 'Counts, or how long each took',
      act: () => set({ view: showing === 'bars' ? 'scatter' : null }),
    },
    { key: 'n', text: 'Show what is new', act: refresh },
  ]);

  return (
    <>
      {word('facets') !== 'off' && (
        <aside class="side" aria-label="Filter by">
          <Facets signal="traces" columns={['service', 'name', 'status', 'kind']} words={filter} />
        </aside>
      )}
      <div class="page">
        <header class="page-head">
          <button
            type="button"
            class="icon-button"
            aria-pressed={word('facets') !== 'off'}
            aria-label="What to filter by"
            title="What to filter by (f)"
            onClick={() => set({ facets: word('facets') === 'off' ? null : 'off' })}
          >
            <Icon name="overview" size={14} />
          </button>
          <h1>Traces</h1>
          <Chips words={WORDS} />
          <span class="spring" />
          <a class="button" href={href('genai')} title="Traces with language models">
            Conversations
          </a>
          <a class="button" href={href('compare')} title="Two traces, runs or ranges of time beside each other">
            Compare
          </a>
          <DurationFilter />
          <div class="tabs">
            <button type="button" aria-pressed={showing === 'bars'} onClick={() => set({ view: null })}>
              Counts
            </button>
            <button type="button" aria-pressed={showing === 'scatter'} onClick={() => set({ view: 'scatter' })}>
              Durations
            </button>
          </div>
        </header>
        <div class="chart">
          {showing === 'scatter' ? (
            <Scatter
              traces={traces}
              begin={instant(from.value)}
              end={instant(to.value)}
              onPoint={trace => go(href(['trace', trace.trace_id]))}
            />
          ) : counts.answer && counts.answer.buckets.length > 0 ? (
            <TimeBars counts={counts.answer} stacks={STACKS} label="Spans over time" />
          ) : (
            <div class="bars-none" />
          )}
        </div>
        <SearchedNote searched={found.answer?.searched} />
        {found.error && !found.answer ? (
          <Wrong error={found.error} again={found.again} />
        ) : !found.answer ? (
          <Loading lines={10} />
        ) : traces.length === 0 ? (
          <Empty title="No trace matches">
            <Hints searched={found.answer.searched} />
            <p class="quiet">Take a filter away, or choose a longer range of time.</p>
            <p>
              <button type="button" class="button" onClick={() => set({ from: 'all', to: null })}>
                Search everything
              </button>
            </p>
          </Empty>
        ) : (
          <>
            {found.error && (
              <p class="note" role="alert">
                {found.error.message}
              </p>
            )}
            <div class="list-head traces-head" aria-hidden="true">
              <span class="time">{order()}</span>
              <span class="grow">Root</span>
              <span class="took">Duration</span>
              <span class="parts">Services</span>
              <span class="number small">Spans</span>
              <span class="number small">Errors</span>
            </div>
            <List
              label="Traces"
              role="grid"
              class={`traces ${found.stale ? 'stale' : ''}`}
              count={traces.length + (cursor ? 1 : 0)}
              height={ROW}
              chosen={chosen === -1 ? undefined : chosen}
              onChoose={at => traces[at] && set({ trace: traces[at].trace_id }, { replace: true })}
              onOpen={open}
              onTop={setTop}
              row={at =>
                traces[at] ? (
                  <TraceRow trace={traces[at]} longest={longest} />
                ) : (
                  <span role="gridcell">
                    <button type="button" class="plain" onClick={loadMore}>
                      Older ones
                    </button>
                  </span>
                )
              }
            />
            {fresh > 0 && (
              <div class="new-pill">
                <button type="button" class="pill" onClick={refresh}>
                  {count(fresh)} new
                </button>
              </div>
            )}
            <p class="list-foot quiet" role="status">
              {count(traces.length)}
              {cursor ? ' and more' : ''} {traces.length === 1 ? 'trace' : 'traces'}
              {problem && <span class="error"> {problem.message}</span>}
            </p>
          </>
        )}
      </div>
      {chosenId !== undefined && (
        <Summary id={chosenId} summary={traces.find(({ trace_id }) => trace_id === chosenId)} />
      )}
    </>
  );
}

const order = () => (word('order') === 'oldest' ? 'Start ↑' : 'Start ↓');

function TraceRow({ trace, longest }: { trace: TraceSummary; longest: number }): JSX.Element {
  const share = Math.min(100, Math.max(0.5, (100 * trace.duration) / longest));
  return (
    <>
      <span role="gridcell" class="time number quiet">
        {clock(trace.start_time)}
      </span>
      <span role="gridcell" class="grow">
        <a class="root" href={href(['trace', trace.trace_id])} tabIndex={-1}>
          <ServiceName name={trace.root_service} />
          <span class="cut name">{line(trace.root_name)}</span>
        </a>
      </span>
      <span role="gridcell" class="took">
        <span class="number">{duration(trace.duration)}</span>
        <span class="took-bar">
          <i class={trace.errors > 0 ? 'is-error' : ''} style={{ width: `${share}%` }} />
        </span>
      </span>
      <span role="gridcell" class="parts">
        <Stripe services={trace.services} />
      </span>
      <span role="gridcell" class="number small quiet">
        {count(trace.spans)}
      </span>
      <span role="gridcell" class={`number small ${trace.errors > 0 ? 'error' : 'quiet'}`}>
        {trace.errors > 0 ? count(trace.errors) : '–'}
      </span>
    </>
  );
}

/** One trace of the list: enough to decide whether to open it. */
function Summary({ id, summary }: { id: string; summary: TraceSummary | undefined }): JSX.Element {
  return (
    <Drawer
      title={summary ? line(summary.root_name) : 'Trace'}
      onClose={() => set({ trace: null }, { replace: true })}
      actions={<Copy text={id} label="Copy the trace id" />}
    >
      <p>
        <a class="button primary" href={href(['trace', id])}>
          Open the trace
        </a>
      </p>
      <dl class="facts">
        <dt>id</dt>
        <dd>
          <code>{id}</code>
        </dd>
        {summary && (
          <>
            <dt>start</dt>
            <dd class="number">{clock(summary.start_time, { digits: 6, date: true })}</dd>
            <dt>duration</dt>
            <dd>{duration(summary.duration)}</dd>
            <dt>spans</dt>
            <dd>
              {count(summary.spans)}, {count(summary.matched)} of them match
            </dd>
            <dt>errors</dt>
            <dd class={summary.errors > 0 ? 'error' : ''}>{count(summary.errors)}</dd>
          </>
        )}
      </dl>
      {summary && (
        <section class="section">
          <h3>Services</h3>
          <ul class="service-counts">
            {Object.entries(summary.services)
              .sort(([, a], [, b]) => b - a)
              .map(([name, spans]) => (
                <li key={name}>
                  <ServiceName name={name} />
                  <span class="number quiet">{count(spans)}</span>
                </li>
              ))}
          </ul>
        </section>
      )}
    </Drawer>
  );
}

/** The least duration: typed as `250ms`. */
function DurationFilter(): JSX.Element {
  const given = word('min_duration') ?? '';
  return (
    <form
      class="duration-filter"
      onSubmit={event => {
        event.preventDefault();
        const value = String(new FormData(event.currentTarget).get('min')).trim().replace(/\s+/g, '');
        set({ min_duration: /^\d+(?:\.\d+)?$/.test(value) ? `${value}ms` : value });
      }}
    >
      <input
        key={given}
        class="input"
        name="min"
        defaultValue={given}
        placeholder="at least 250ms"
        aria-label="Spans that took at least so long"
        title="Spans that took at least so long"
        size={12}
        autocomplete="off"
        spellcheck={false}
      />
    </form>
  );
}

/** Two traces, two runs or two ranges of time beside each other: what is new, gone, slower, faster or error, by what it does. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { at, useAnswer } from '../api.js';
import { effect, sentence, sidesOfRun } from '../figures/changes.js';
import { Copy } from '../parts/copy.js';
import { exactly } from '../parts/filter.js';
import { ServiceName } from '../parts/service.js';
import { Empty, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { clean, line } from '../parts/text.js';
import { clock, count, duration, percent, plural } from '../parts/time.js';
import { all, href, set, toggle, word } from '../state/url.js';
import type { AttributeKeys, AttributeValues, Compare, Search } from '../wire.js';

type Change = Compare['operations'][number];
type Side = Compare['a'];

const CHANGES: readonly (readonly [change: Change['change'], text: string, style: string])[] = [
  ['failing', 'Failing', 'bad'],
  ['slower', 'Slower', 'bad'],
  ['new', 'New', 'fresh'],
  ['gone', 'Gone', 'fresh'],
  ['faster', 'Faster', 'good'],
  ['recovered', 'Recovered', 'good'],
  ['same', 'Same', ''],
];

/** Ranges that are offered: what was before, and what is compared with it. */
const RANGES = [
  ['-30m..-15m', '-15m..', 'last 15 minutes with those before'],
  ['-2h..-1h', '-1h..', 'last hour with the one before'],
  ['-48h..-24h', '-24h..', 'last day with the one before'],
] as const;

export default function ComparePage(): JSX.Element {
  const [a, b] = [word('a'), word('b')];
  const ready = a !== undefined && b !== undefined;
  const { answer, error, stale, again } = useAnswer<Compare>(
    ready ? '/compare' : null,
    { a, b, limit: 500 },
    { live: false },
  );
  return (
    <section class={`page scroll compare ${stale && ready ? 'stale' : ''}`}>
      <header class="page-head">
        <h1>Compare</h1>
        <span class="quiet">two traces, two runs, or two ranges of time</span>
      </header>
      <Sides a={a} b={b} />
      {!ready && TRACE.test(a ?? b ?? '') && <Alike id={(a ?? b)!} side={a === undefined ? 'a' : 'b'} />}
      {!ready && !TRACE.test(a ?? b ?? '') && (
        <Empty title="Choose what is compared">
          <p>
            Write the ids of two traces, two ranges of time (<code>-2h..-1h</code>, <code>-1h..</code>) or words of a
            filter (<code>resource=ci.run.id=17</code>), or choose one of these:
          </p>
          <ul class="offers">
            {RANGES.map(([a, b, text]) => (
              <li key={a}>
                <button type="button" class="plain" onClick={() => set({ a, b })}>
                  The {text}
                </button>
              </li>
            ))}
          </ul>
          <Runs />
        </Empty>
      )}
      {ready && error && <Wrong error={error} again={again} />}
      {ready && !answer && !error && <Loading />}
      {ready && answer && <Answer answer={answer} />}
    </section>
  );
}

/** Traces that begin as this one does: one of them is the other side. */
function Alike({ id, side }: { id: string; side: 'a' | 'b' }): JSX.Element {
  const own = useAnswer<Search>('/traces', { trace: id }, { live: false });
  const root = own.answer?.traces[0];
  const like = root && { service: exactly(root.root_service), name: exactly(root.root_name), limit: 50 };
  const { answer, error, again } = useAnswer<Search>(like ? '/traces' : null, like ?? {}, { live: false });
  const others = (answer?.traces ?? []).filter(({ trace_id }) => trace_id !== id);
  if (own.answer && !root) {
    return (
      <Empty title="This trace is not there">
        <p>Retention may have deleted it, or its id is not whole.</p>
      </Empty>
    );
  }
  if (own.error ?? error) return <Wrong error={(own.error ?? error)!} again={own.error ? own.again : again} />;
  if (!answer) return <Loading />;
  if (others.length === 0) {
    return (
      <Empty title="No other trace begins so">
        <p>Write the id of any other trace above.</p>
      </Empty>
    );
  }
  return (
    <div class="table-box">
      <table class="table">
        <caption class="pad quiet">
          With which? Traces that begin with {line(root?.root_name ?? '')} as well, the latest first.
        </caption>
        <thead>
          <tr>
            <th scope="col">Start</th>
            <th scope="col">Trace</th>
            <th scope="col" class="number">
              Duration
            </th>
            <th scope="col" class="number">
              Spans
            </th>
            <th scope="col" class="number">
              Errors
            </th>
          </tr>
        </thead>
        <tbody>
          {others.map(other => (
            <tr key={other.trace_id}>
              <td class="start number">{clock(other.start_time)}</td>
              <td>
                <button type="button" class="plain" onClick={() => set({ [side]: other.trace_id })}>
                  <code>{other.trace_id}</code>
                </button>
              </td>
              <td class="number">
                {duration(other.duration)} <span class="quiet">{effect(other.duration - (root?.duration ?? 0))}</span>
              </td>
              <td class="number">{count(other.spans)}</td>
              <td class={`number ${other.errors > 0 ? 'error' : 'quiet'}`}>
                {other.errors > 0 ? count(other.errors) : '–'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Sides({ a, b }: { a: string | undefined; b: string | undefined }): JSX.Element {
  return (
    <form
      key={`${a}\n${b}`}
      class="sides"
      onSubmit={event => {
        event.preventDefault();
        const given = new FormData(event.currentTarget);
        const text = (name: string) => String(given.get(name) ?? '').trim() || null;
        set({ a: text('a'), b: text('b') });
      }}
    >
      <label>
        <span>Before</span>
        <input
          name="a"
          value={a ?? ''}
          placeholder="trace id, -2h..-1h, resource=ci.run.id=16"
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <button
        type="button"
        class="icon-button"
        aria-label="Swap the two"
        title="Swap the two"
        onClick={() => set({ a: b ?? null, b: a ?? null })}
      >
        ⇄
      </button>
      <label>
        <span>Now</span>
        <input
          name="b"
          value={b ?? ''}
          placeholder="trace id, -1h.., resource=ci.run.id=17"
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <button type="submit" class="button">
        Compare
      </button>
    </form>
  );
}

/** Two values of an attribute of the resource: two runs, two versions. */
function Runs(): JSX.Element | null {
  const keys = useAnswer<AttributeKeys>('/attributes', { signal: 'traces', limit: 200 }, { live: false });
  const [key, choose] = useState<string | undefined>();
  const offered = (keys.answer?.attributes ?? [])
    .filter(({ of, key }) => of === 'resource' && !/^telemetry\.|^process\.(command|executable|owner)/.test(key))
    .map(({ key }) => key);
  const usual =
    offered.find(key => /run|build|commit|revision/.test(key)) ??
    offered.find(key => /version|environment|instance/.test(key)) ??
    offered[0];
  const by = key ?? usual;
  const values = useAnswer<AttributeValues>(
    by === undefined ? null : at`/attributes/${`resource:${by}`}/values`,
    { signal: 'traces', limit: 100 },
    { live: false },
  );
  const [picks, pick] = useState<readonly [string, string]>(['', '']);
  if (by === undefined) return null;
  const options = values.answer?.values ?? [];
  const [a, b] = [picks[0] || options[1]?.value || '', picks[1] || options[0]?.value || ''];
  return (
    <form
      class="runs"
      onSubmit={event => {
        event.preventDefault();
        if (a !== '' && b !== '') set(sidesOfRun(by, a, b));
      }}
    >
      <label>
        Runs by{' '}
        <select
          class="input"
          value={by}
          onChange={event => {
            choose(event.currentTarget.value);
            pick(['', '']);
          }}
        >
          {offered.map(key => (
            <option key={key} value={key}>
              {line(key)}
            </option>
          ))}
        </select>
      </label>
      {([0, 1] as const).map(side => (
        <label key={side}>
          {side === 0 ? 'before' : 'now'}{' '}
          <select
            class="input"
            value={side === 0 ? a : b}
            onChange={event => pick(side === 0 ? [event.currentTarget.value, b] : [a, event.currentTarget.value])}
          >
            {options.map(({ value }) => (
              <option key={value} value={value}>
                {line(value)}
              </option>
            ))}
          </select>
        </label>
      ))}
      <button type="submit" class="button" disabled={a === '' || b === '' || a === b}>
        Compare runs
      </button>
      {options.length < 2 && values.answer && <span class="quiet">has one value only</span>}
    </form>
  );
}

function Answer({ answer }: { answer: Compare }): JSX.Element {
  const chosen = all('change');
  const counts = new Map(
    CHANGES.map(([change]) => [change, answer.operations.filter(one => one.change === change).length]),
  );
  const shown = answer.operations.filter(({ change }) =>
    chosen.length === 0 ? change !== 'same' : chosen.includes(change),
  );
  const nothing = answer.a.spans === 0 ? answer.a : answer.b.spans === 0 ? answer.b : undefined;
  return (
    <>
      <div class="side-facts">
        <SideFacts name="Before" side={answer.a} />
        <SideFacts name="Now" side={answer.b} />
      </div>
      <SearchedNote searched={answer.searched} />
      {nothing && (
        <p class="note" role="status">
          Nothing was found of {clean(nothing.is)}: what the other side has is new, or gone.
        </p>
      )}
      <div class="changes" role="group" aria-label="Changes that are shown">
        {CHANGES.map(([change, text]) => (
          <button
            key={change}
            type="button"
            class="toggle"
            aria-pressed={chosen.length === 0 ? change !== 'same' : chosen.includes(change)}
            disabled={counts.get(change) === 0}
            onClick={() => toggle('change', change)}
          >
            {text} <span class="quiet">{counts.get(change)}</span>
          </button>
        ))}
        <Copy class="plain" text={() => `${shown.map(sentence).join('\n')}\n`} label="Copy as text">
          Copy as text
        </Copy>
      </div>
      {shown.length === 0 && (
        <Empty title={chosen.length === 0 ? 'Nothing changed' : 'Nothing of these'}>
          <p>
            {counts.get('same')
              ? `${count(counts.get('same')!)} operations are as they were.`
              : 'Neither side has operations.'}
          </p>
        </Empty>
      )}
      {shown.length > 0 && (
        <div class="table-box">
          <table class="table">
            <caption class="hidden">Operations, those first that a request spends more time in</caption>
            <thead>
              <tr>
                <th scope="col">Change</th>
                <th scope="col">Operation</th>
                <th scope="col" class="number" title="By how much a request spends more in it">
                  Effect
                </th>
                <th scope="col" class="number">
                  p50 before
                </th>
                <th scope="col" class="number">
                  p50 now
                </th>
                <th scope="col" class="number">
                  p95 before
                </th>
                <th scope="col" class="number">
                  p95 now
                </th>
                <th scope="col" class="number">
                  Errors
                </th>
                <th scope="col" class="number">
                  Spans
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map(one => (
                <Operation key={`${one.service}\n${one.name}\n${one.kind}`} one={one} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {answer.errors.length > 0 && <ErrorChanges errors={answer.errors} />}
    </>
  );
}

const TRACE = /^[0-9a-f]{32}$/;

function SideFacts({ name, side }: { name: string; side: Side }): JSX.Element {
  return (
    <div class="card">
      <span class="quiet">{name}</span>
      <b class="cut" title={line(side.is)}>
        {TRACE.test(side.is) ? <a href={href(['trace', side.is])}>{side.is.slice(0, 16)}…</a> : line(side.is)}
      </b>
      <span class="quiet">
        {plural(side.spans, 'span')}, {plural(side.requests, 'request')},{' '}
        <span class={side.errors > 0 ? 'error' : ''}>{plural(side.errors, 'error')}</span>
      </span>
      {side.spans > 0 && (
        <span class="quiet">
          {clock(side.from, { digits: 0 })} to {clock(side.to, { digits: 0 })}
        </span>
      )}
    </div>
  );
}

function Operation({ one }: { one: Change }): JSX.Element {
  const [, text, style] = CHANGES.find(([change]) => change === one.change) ?? [one.change, one.change, ''];
  return (
    <tr>
      <td>
        <span class={`status ${style}`}>{text}</span>
      </td>
      <td class="operation">
        <span class="cut" title={line(one.name)}>
          {line(one.name)}
        </span>
        <ServiceName name={one.service} />
        <span class="quiet">{one.kind}</span>
      </td>
      <td class="number">{effect(one.impact)}</td>
      <td class="number">{duration(one.a?.p50)}</td>
      <td class="number">{duration(one.b?.p50)}</td>
      <td class="number">{duration(one.a?.p95)}</td>
      <td class="number">{duration(one.b?.p95)}</td>
      <td class={`number ${(one.b?.errors ?? 0) > 0 ? 'error' : ''}`}>
        {one.a ? percent(one.a.error_share) : '–'} → {one.b ? percent(one.b.error_share) : '–'}
      </td>
      <td class="number">
        {one.a ? count(one.a.count) : '–'} → {one.b ? count(one.b.count) : '–'}
      </td>
    </tr>
  );
}

function ErrorChanges({ errors }: { errors: Compare['errors'] }): JSX.Element {
  return (
    <section>
      <h2>Exceptions of which one side has more</h2>
      <div class="table-box">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Exception</th>
              <th scope="col" class="number">
                Before
              </th>
              <th scope="col" class="number">
                Now
              </th>
            </tr>
          </thead>
          <tbody>
            {errors.map(one => (
              <tr key={one.group}>
                <td class="operation">
                  <a
                    class="cut"
                    href={href('errors', { error: one.group, from: 'all', to: null })}
                    title={line(one.message)}
                  >
                    <b>{line(one.type)}</b> {line(one.message)}
                  </a>
                  {one.frame !== null && <span class="quiet cut">{line(one.frame)}</span>}
                </td>
                <td class={`number ${one.a > one.b ? 'error' : ''}`}>{count(one.a)}</td>
                <td class={`number ${one.b > one.a ? 'error' : ''}`}>{count(one.b)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

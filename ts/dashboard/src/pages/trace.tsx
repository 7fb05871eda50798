/** One trace: a waterfall of any length, found in, folded, looked at from any span; and as a flame graph. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { askText, at, together, useAnswer } from '../api.js';
import { Chips } from '../parts/chips.js';
import { Copy } from '../parts/copy.js';
import { Icon } from '../parts/icons.js';
import { ServiceName } from '../parts/service.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { line } from '../parts/text.js';
import { clock, count, duration } from '../parts/time.js';
import { useKeys } from '../state/keys.js';
import { all, below, here, href, set, word, words } from '../state/url.js';
import type { Tree } from '../wire.js';
import { Details } from './trace/details.js';
import { FlameGraph } from './trace/flame.js';
import { Minimap } from './trace/minimap.js';
import {
  type Closed,
  criticalPath,
  isClosed,
  type Model,
  modelOf,
  named,
  next,
  rowsOf,
  withAbove,
} from './trace/model.js';
import { Waterfall, type Window } from './trace/waterfall.js';

/** Words that leave some spans of a trace, and those above them. */
const FILTER = ['only', 'name', 'status', 'kind', 'min_duration', 'max_duration', 'attr', 'resource'] as const;

export default function Trace(): JSX.Element {
  const id = below.value[0] ?? '';
  const tree = useAnswer<Tree>(id === '' ? null : at`/traces/${id}`, { columns: 'tree' }, { live: false });
  const model = useMemo(() => tree.answer && modelOf(tree.answer.spans), [tree.answer]);
  if (id === '')
    return (
      <Empty alone title="Which trace?">
        <p>Put the beginning of its id into the search box.</p>
      </Empty>
    );
  if (tree.error && !tree.answer) return <Wrong alone error={tree.error} again={tree.again} />;
  if (!tree.answer || !model || tree.stale) return <Loading lines={14} />;
  if (model.bars.length === 0) {
    return (
      <Empty alone title="This trace is not here">
        <p>
          No span of <code>{line(id)}</code> is kept: it may have been deleted by retention, or was never recorded here.
        </p>
        <Hints searched={tree.answer.searched} />
        <p>
          <a class="button" href={href('traces')}>
            To the traces
          </a>
        </p>
      </Empty>
    );
  }
  return <Shown key={tree.answer.trace_id} tree={tree.answer} model={model} again={tree.again} />;
}

function Shown({ tree, model, again }: { tree: Tree; model: Model; again: () => void }): JSX.Element {
  const find = word('find') ?? '';
  const filter = new Map([...words.value].filter(([name]) => (FILTER as readonly string[]).includes(name)));
  const isFiltered = filter.size > 0;
  // What is in attributes is known to the recorder alone; names are found at once.
  const matching = useAnswer<Tree>(
    find !== '' || isFiltered ? at`/traces/${tree.trace_id}` : null,
    together(asWords(filter), { columns: 'tree', logs: 'false', ...(find === '' ? {} : textWords(find)) }),
    { live: false },
  );
  const found = useMemo(() => {
    if (find === '' && !isFiltered) return undefined;
    if (matching.answer && !matching.stale) {
      return matching.answer.spans
        .filter(({ matches }) => matches)
        .flatMap(({ id }) => model.at.get(id) ?? [])
        .sort((a, b) => a - b);
    }
    return isFiltered ? undefined : named(model, find);
  }, [find, matching.answer, matching.stale, model]);
  const keep = useMemo(() => found && withAbove(model, found), [found, model]);
  const closed: Closed = useMemo(
    () => ({
      level: Number(word('level')) || undefined,
      open: positions(model, all('open')),
      closed: positions(model, all('closed')),
    }),
    [model, words.value],
  );
  const root = position(model, word('focus'));
  const rows = useMemo(() => rowsOf(model, closed, root, keep), [model, closed, root, keep]);
  const critical = useMemo(
    () => (word('path') === 'critical' ? criticalPath(model) : undefined),
    [model, word('path')],
  );
  const chosen = position(model, word('span'));
  const zoom = windowOf(model, root);
  const matches = useMemo(() => new Set(found), [found]);

  const choose = (at: number | undefined) =>
    set({ span: at === undefined ? null : model.bars[at]!.id }, { replace: true });
  const jump = (back: boolean) => found && choose(next(found, chosen, back));
  const fold = (at: number) => {
    const { id } = model.bars[at]!;
    const shut = isClosed(model, closed, at);
    const without = (name: string) => all(name).filter(other => !model.bars[at]!.id.startsWith(other));
    const byLevel = closed.level !== undefined && model.bars[at]!.depth + 1 >= closed.level;
    if (shut)
      set({ closed: without('closed'), open: byLevel ? [...without('open'), id] : without('open') }, { replace: true });
    else
      set(
        { open: without('open'), closed: byLevel ? without('closed') : [...without('closed'), id] },
        { replace: true },
      );
  };
  const level = (level: number | null) => set({ level, open: null, closed: null }, { replace: true });
  const focus = (at: number | undefined) => set({ focus: at === undefined ? null : model.bars[at]!.id, zoom: null });
  useKeys('Trace', [
    { key: '/', text: 'Find spans', act: () => document.querySelector<HTMLInputElement>('#find')?.focus() },
    { key: 'n', text: 'Next one that was found', act: () => jump(false) },
    { key: 'N', text: 'The one before', act: () => jump(true) },
    { key: 'e', text: 'Open everything', act: () => level(null) },
    { key: 'c', text: 'Close everything', act: () => level(1) },
    ...[1, 2, 3, 4, 5].map(depth => ({
      key: String(depth),
      text: `Open ${depth} ${depth === 1 ? 'level' : 'levels'}`,
      act: () => level(depth),
    })),
    { key: 'f', text: 'The chosen span as the root', act: () => chosen !== undefined && focus(chosen) },
    { key: 'u', text: 'The whole trace again', act: () => set({ focus: null, zoom: null }) },
    { key: 'P', text: 'Critical path', act: () => set({ path: word('path') ? null : 'critical' }) },
    {
      key: 'v',
      text: 'Waterfall, or flame graph',
      act: () => set({ view: word('view') === 'flame' ? null : 'flame' }),
    },
  ]);
  const flame = word('view') === 'flame';
  const asText = () => askText(at`/traces/${tree.trace_id}`, root === undefined ? {} : { focus: model.bars[root]!.id });
  return (
    <>
      <div class="page trace">
        <Head tree={tree} model={model} asText={asText} />
        <div class="trace-bar">
          <Find found={found} chosen={chosen} jump={jump} loading={matching.loading && find !== ''} />
          <Chips words={FILTER} />
          {root !== undefined && (
            <span class="chip">
              <b>below</b>
              <span class="cut">{line(model.bars[root]!.name)}</span>
              <button
                type="button"
                aria-label="The whole trace again"
                title="The whole trace again (u)"
                onClick={() => focus(undefined)}
              >
                <Icon name="close" size={10} />
              </button>
            </span>
          )}
          {matching.error && <span class="error">{line(matching.error.message)}</span>}
          <span class="spring" />
          {!flame && (
            <>
              <button
                type="button"
                class="button"
                aria-pressed={word('path') === 'critical'}
                title="What the end waited for (P)"
                onClick={() => set({ path: word('path') ? null : 'critical' })}
              >
                Critical path
              </button>
              <label class="levels">
                <span class="quiet">Levels</span>
                <select
                  class="input"
                  value={word('level') ?? ''}
                  onChange={event => level(Number(event.currentTarget.value) || null)}
                >
                  <option value="">all</option>
                  {Array.from({ length: Math.min(model.deepest - 1, 12) }, (_, i) => (
                    <option key={i} value={i + 1}>
                      {i + 1}
                    </option>
                  ))}
                </select>
              </label>
            </>
          )}
          <div class="tabs">
            <button type="button" aria-pressed={!flame} onClick={() => set({ view: null })}>
              Waterfall
            </button>
            <button type="button" aria-pressed={flame} onClick={() => set({ view: 'flame' })}>
              Flame graph
            </button>
          </div>
        </div>
        <SearchedNote searched={tree.searched} />
        {tree.missing_parents.length > 0 && (
          <p class="note" role="status">
            {count(tree.missing_parents.length)} {tree.missing_parents.length === 1 ? 'parent is' : 'parents are'} named
            and not here: what is below them begins at the left.{' '}
            <button type="button" class="plain" onClick={again}>
              Look again
            </button>
          </p>
        )}
        {flame ? (
          <FlameGraph model={model} root={root} onFocus={focus} onChoose={choose} />
        ) : (
          <>
            <Minimap model={model} rows={rows} window={zoom} matches={found && matches} onWindow={setWindow} />
            <Waterfall
              model={model}
              rows={rows}
              base={root === undefined ? 0 : model.bars[root]!.depth}
              window={zoom}
              chosen={chosen}
              matches={found && matches}
              critical={critical}
              isClosed={at => !keep && isClosed(model, closed, at)}
              onChoose={choose}
              onFold={fold}
              onFocus={focus}
              onWindow={setWindow}
            />
          </>
        )}
      </div>
      {chosen !== undefined && (
        <Details trace={tree} model={model} at={chosen} onClose={() => choose(undefined)} onFocus={focus} />
      )}
    </>
  );
}

const asWords = (filter: ReadonlyMap<string, readonly string[]>) =>
  new Map([...filter].map(([name, values]) => [name === 'only' ? 'service' : name, values]));

/** `/regex/`, or a text whatever its letter case. */
function textWords(find: string): { readonly [word: string]: string } {
  const regex = /^\/(.+)\/$/.exec(find);
  return regex ? { regex: regex[1]! } : { text: find, ignore_case: 'true' };
}

/** The position of the span whose id begins so. */
function position(model: Model, id: string | undefined): number | undefined {
  if (id === undefined) return undefined;
  const exact = model.at.get(id);
  if (exact !== undefined) return exact;
  const found = model.bars.findIndex(bar => bar.id.startsWith(id));
  return found < 0 ? undefined : found;
}

function positions(model: Model, ids: readonly string[]): ReadonlySet<number> {
  return new Set(ids.flatMap(id => position(model, id) ?? []));
}

/** The part of the time that is shown: the word `zoom`, or all of what is below the root. */
function windowOf(model: Model, root: number | undefined): Window {
  const given = /^(\d+)-(\d+)$/.exec(word('zoom') ?? '');
  if (given && Number(given[2]) > Number(given[1]))
    return { from: Number(given[1]), to: Number(given[2]), isWhole: false };
  if (root === undefined) return { from: 0, to: Math.max(1, model.duration), isWhole: true };
  const bar = model.bars[root]!;
  let to = bar.start + bar.duration;
  for (let i = root; i < model.end[root]!; i += 1) to = Math.max(to, model.bars[i]!.start + model.bars[i]!.duration);
  return { from: bar.start, to: Math.max(bar.start + 1, to), isWhole: true };
}

const setWindow = (from?: number, to?: number) =>
  set(
    { zoom: from === undefined || to === undefined ? null : `${Math.max(0, Math.round(from))}-${Math.round(to)}` },
    { replace: true },
  );

function Head({ tree, model, asText }: { tree: Tree; model: Model; asText: () => Promise<string> }): JSX.Element {
  const root = model.bars[0]!;
  const services = Object.entries(tree.services).sort(([, a], [, b]) => b - a);
  const genai = model.bars.some(({ name }) =>
    /^(?:chat|text_completion|generate_content|invoke_agent|execute_tool|embeddings)\b/.test(name),
  );
  return (
    <header class="trace-head">
      <div class="trace-title">
        <ServiceName name={root.service} />
        <h1 class="cut" title={line(root.name)}>
          {line(root.name)}
        </h1>
        <span class="trace-actions">
          <Copy text={asText} label="Copy as text, for an agent or a ticket" class="button">
            <span>Copy as text</span>
          </Copy>
          <a class="button" href={href('compare', { a: tree.trace_id })}>
            <Icon name="compare" size={14} />
            <span>Compare with…</span>
          </a>
          {genai && (
            <a class="button" href={href(['genai', tree.trace_id])}>
              <Icon name="genai" size={14} />
              <span>Conversation</span>
            </a>
          )}
          <a class="button" href={href('logs', { trace: tree.trace_id, from: 'all', to: null })}>
            <Icon name="logs" size={14} />
            <span>Logs</span>
          </a>
          <Copy text={() => location.href} label="Copy the link to what is shown" icon="link" />
        </span>
      </div>
      <dl class="trace-facts">
        <div>
          <dt>Trace</dt>
          <dd>
            <code title={tree.trace_id}>{tree.trace_id.slice(0, 16)}</code>
            <Copy text={tree.trace_id} label="Copy the trace id" />
          </dd>
        </div>
        <div>
          <dt>Start</dt>
          <dd class="number">{clock(tree.start_time, { digits: 6 })}</dd>
        </div>
        <div>
          <dt>Duration</dt>
          <dd class="number">{duration(tree.duration)}</dd>
        </div>
        <div>
          <dt>Spans</dt>
          <dd class="number">{count(model.bars.length)}</dd>
        </div>
        <div>
          <dt>Depth</dt>
          <dd class="number">{model.deepest}</dd>
        </div>
        <div>
          <dt>Errors</dt>
          <dd class="number">
            {tree.errors > 0 ? (
              <a
                class="error"
                href={here({ status: word('status') === 'error' ? null : 'error' })}
                title="Only the spans that failed"
              >
                {count(tree.errors)}
              </a>
            ) : (
              '0'
            )}
          </dd>
        </div>
        {tree.duplicates > 0 && (
          <div>
            <dt>Came twice</dt>
            <dd class="number">{count(tree.duplicates)}</dd>
          </div>
        )}
        <div class="legend">
          <dt>Services</dt>
          <dd>
            {services.slice(0, 8).map(([name, spans]) => (
              <a
                key={name}
                class={`legend-entry ${word('only') === name ? 'is-on' : ''}`}
                href={here({ only: word('only') === name ? null : name })}
                title={`Only ${line(name)}: ${spans} spans`}
              >
                <ServiceName name={name} />
              </a>
            ))}
            {services.length > 8 && <span class="quiet">and {services.length - 8} more</span>}
          </dd>
        </div>
      </dl>
    </header>
  );
}

function Find({
  found,
  chosen,
  jump,
  loading,
}: {
  found: readonly number[] | undefined;
  chosen: number | undefined;
  jump: (back: boolean) => void;
  loading: boolean;
}): JSX.Element {
  const place = chosen === undefined || !found ? -1 : found.indexOf(chosen);
  return (
    <div class="find">
      <Icon name="search" size={14} />
      <input
        id="find"
        type="search"
        placeholder="Find a name or a value"
        aria-label="Find spans: a name or the value of an attribute, or a regular expression between slashes"
        value={word('find') ?? ''}
        autocomplete="off"
        spellcheck={false}
        onInput={event => set({ find: event.currentTarget.value }, { replace: true })}
        onKeyDown={event => {
          if (event.key === 'Enter') jump(event.shiftKey);
          else if (event.key === 'Escape') {
            if (event.currentTarget.value === '') event.currentTarget.blur();
            set({ find: null }, { replace: true });
          }
        }}
      />
      {found && (
        <>
          <span class="number quiet" role="status">
            {loading ? '…' : place < 0 ? count(found.length) : `${place + 1}/${found.length}`}
          </span>
          <button
            type="button"
            class="icon-button"
            aria-label="The one before"
            title="The one before (N)"
            disabled={found.length === 0}
            onClick={() => jump(true)}
          >
            <i class="turned up">
              <Icon name="down" size={12} />
            </i>
          </button>
          <button
            type="button"
            class="icon-button"
            aria-label="Next one"
            title="Next one (n)"
            disabled={found.length === 0}
            onClick={() => jump(false)}
          >
            <Icon name="down" size={12} />
          </button>
        </>
      )}
    </div>
  );
}

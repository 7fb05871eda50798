/** Exceptions that are alike, as groups: how many, since when, where from; one of them whole, with its trace. */
import type { JSX } from 'preact';
import { together, useAnswer } from '../api.js';
import { trend } from '../figures/trend.js';
import { Drawer } from '../frame/drawer.js';
import { Chips } from '../parts/chips.js';
import { Copy } from '../parts/copy.js';
import { List } from '../parts/list.js';
import { ServiceName } from '../parts/service.js';
import { Spark } from '../parts/spark.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { clean, line } from '../parts/text.js';
import { ago, clock, count } from '../parts/time.js';
import { instant, from as rangeFrom, to as rangeTo, rangeWords } from '../state/range.js';
import { href, picked, set, word } from '../state/url.js';
import type { ErrorGroup, Errors, Exceptions, RecordedException } from '../wire.js';

/** Words of the filter that this page takes over. */
const WORDS = ['service', 'name', 'kind', 'attr', 'resource', 'trace'] as const;
const SIGNALS = [
  [undefined, 'All'],
  ['traces', 'Of spans'],
  ['logs', 'Of log records'],
] as const;

const nameOf = (group: { readonly type: string; readonly message: string }): string =>
  line(group.type || group.message || 'exception');

export default function ErrorsPage(): JSX.Element {
  const asked = together(rangeWords(), picked(WORDS), { signal: word('signal'), limit: 500 });
  const { answer, error, stale, again } = useAnswer<Errors>('/errors', asked);
  const group = word('error');
  const groups = answer?.errors ?? [];
  const chosen = groups.findIndex(one => one.group === group);
  const range = [instant(rangeFrom.value), instant(rangeTo.value)] as const;
  return (
    <>
      <section class={`page ${stale ? 'stale' : ''}`}>
        <header class="page-head">
          <h1>Errors</h1>
          {answer && (
            <span class="quiet">
              {count(answer.total)} exceptions
              {groups.length > 0 && ` in ${count(groups.length)} ${groups.length === 1 ? 'group' : 'groups'}`}
            </span>
          )}
          <div class="tabs" role="group" aria-label="Whose exceptions">
            {SIGNALS.map(([value, text]) => (
              <button
                key={text}
                type="button"
                aria-pressed={word('signal') === value}
                onClick={() => set({ signal: value ?? null })}
              >
                {text}
              </button>
            ))}
          </div>
        </header>
        <Chips words={WORDS} />
        <SearchedNote searched={answer?.searched} />
        {error && <Wrong error={error} again={again} />}
        {!answer && !error && <Loading />}
        {answer && groups.length === 0 && (
          <Empty title="No exceptions in this time">
            <p>
              Exceptions are events called <code>exception</code> of spans, which SDKs make with{' '}
              <code>recordException</code>, and log records with the attribute <code>exception.type</code>. Spans that
              failed without one are <a href={href('traces', { status: 'error' })}>traces with errors</a>.
            </p>
            <Hints searched={answer.searched} />
          </Empty>
        )}
        {answer && groups.length > 0 && (
          <>
            <div class="list-head errors-head" aria-hidden="true">
              <span class="grow">Exception</span>
              <span class="services-of">Services</span>
              <span class="number small">Count</span>
              <span class="trend">When</span>
              <span class="times seen-first">First</span>
              <span class="times">Latest</span>
            </div>
            <List
              label="Errors"
              class="errors"
              count={groups.length}
              height={52}
              chosen={chosen < 0 ? undefined : chosen}
              onChoose={at => set({ error: groups[at]!.group }, { replace: group !== undefined })}
              row={at => <Row group={groups[at]!} step={answer.step} range={range} />}
            />
          </>
        )}
      </section>
      {group !== undefined && answer && <GroupDrawer group={groups[chosen]} id={group} />}
    </>
  );
}

function Row({
  group,
  step,
  range,
}: {
  group: ErrorGroup;
  step: number;
  range: readonly [number | undefined, number | undefined];
}): JSX.Element {
  return (
    <>
      <span class="grow error-text">
        <b class="cut" title={line(group.type)}>
          {nameOf(group)}
        </b>
        <span class="cut quiet" title={line(group.message)}>
          {group.type === '' ? '' : line(group.message)}
          {group.frame !== null && (
            <>
              {' '}
              <span class="of-frame">{line(group.frame)}</span>
            </>
          )}
        </span>
      </span>
      <span class="error-services">
        {group.services.slice(0, 2).map(([name]) => (
          <ServiceName key={name} name={name} />
        ))}
        {group.services.length > 2 && <span class="quiet">+{group.services.length - 2}</span>}
      </span>
      <span class="number small">{count(group.count)}</span>
      <span class="trend">
        <Spark
          class="is-error"
          values={trend(group.trend, step, range)}
          label={`${count(group.count)} over time`}
          width={112}
          height={28}
        />
      </span>
      <span class="times seen-first quiet" title={clock(group.first_seen, { date: true })}>
        {ago(group.first_seen)}
      </span>
      <span class="times quiet" title={clock(group.last_seen, { date: true })}>
        {ago(group.last_seen)}
      </span>
    </>
  );
}

function GroupDrawer({ group, id }: { group: ErrorGroup | undefined; id: string }): JSX.Element {
  const close = () => set({ error: null });
  const all = useAnswer<Exceptions>(
    '/exceptions',
    together(rangeWords(), picked(WORDS), { signal: word('signal'), group: id, limit: 50 }),
  );
  if (!group) {
    return (
      <Drawer title="Not in this time" onClose={close}>
        <p>No exception of the group {line(id)} is among those of this time and these filters. Choose a longer time.</p>
      </Drawer>
    );
  }
  const { example } = group;
  return (
    <Drawer title={nameOf(group)} onClose={close} actions={<Copy text={() => asText(group)} label="Copy as text" />}>
      <p class="error-message">{clean(example.message)}</p>
      <p class="links">
        {example.trace_id && <a href={traceOf(example)}>Trace of the latest</a>}
        {example.trace_id && <a href={href('logs', { trace: example.trace_id })}>Its log records</a>}
        {group.services.map(([name, times]) => (
          <span key={name}>
            <ServiceName name={name} /> <span class="quiet">{count(times)}</span>
          </span>
        ))}
      </p>
      <dl class="facts">
        <dt>Count</dt>
        <dd>{count(group.count)}</dd>
        <dt>First</dt>
        <dd>
          {clock(group.first_seen, { date: true })} <span class="quiet">{ago(group.first_seen)}</span>
        </dd>
        <dt>Latest</dt>
        <dd>
          {clock(group.last_seen, { date: true })} <span class="quiet">{ago(group.last_seen)}</span>
        </dd>
        {group.frame !== null && (
          <>
            <dt>From</dt>
            <dd>{line(group.frame)}</dd>
          </>
        )}
        {example.span_name && (
          <>
            <dt>Span</dt>
            <dd>{line(example.span_name)}</dd>
          </>
        )}
      </dl>
      {example.stacktrace && (
        <section>
          <h3>
            Stack trace <Copy text={example.stacktrace} label="Copy the stack trace" />
          </h3>
          <pre class="code stack" tabIndex={0}>
            {clean(example.stacktrace)}
          </pre>
        </section>
      )}
      <section>
        <h3>The latest</h3>
        {all.error && <Wrong error={all.error} again={all.again} />}
        {!all.answer && !all.error && <Loading lines={4} />}
        <ul class="occurrences">
          {all.answer?.exceptions.map((one, at) => (
            <li key={at}>
              {one.trace_id ? <a href={traceOf(one)}>{clock(one.time)}</a> : <span>{clock(one.time)}</span>}
              <ServiceName name={one.service} />
              <span class="cut quiet" title={line(one.message)}>
                {line(one.message)}
              </span>
            </li>
          ))}
        </ul>
      </section>
    </Drawer>
  );
}

const traceOf = (one: RecordedException): string => href(['trace', one.trace_id!], { span: one.span_id ?? null });

/** What an agent, or an issue, is given. */
function asText(group: ErrorGroup): string {
  const { example } = group;
  const parts = [
    `${group.type}: ${example.message}`,
    `${group.count} times from ${group.first_seen} to ${group.last_seen} in ${group.services.map(([name, times]) => `${name} (${times})`).join(', ')}`,
    example.span_name && `span: ${example.span_name}`,
    example.trace_id && `trace: ${example.trace_id}${example.span_id ? ` span ${example.span_id}` : ''}`,
    example.stacktrace && `\n${example.stacktrace}`,
  ];
  return `${parts.filter(Boolean).join('\n')}\n`;
}

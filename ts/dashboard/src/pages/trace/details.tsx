/** Everything of the span that is chosen. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { askText, at as path, useAnswer } from '../../api.js';
import { Drawer } from '../../frame/drawer.js';
import { AttributeTable, json } from '../../parts/attributes.js';
import { Copy } from '../../parts/copy.js';
import { Icon } from '../../parts/icons.js';
import { ServiceName } from '../../parts/service.js';
import { Empty, Loading, Wrong } from '../../parts/states.js';
import { clean, line } from '../../parts/text.js';
import { clock, count, duration, nanos, of } from '../../parts/time.js';
import { href } from '../../state/url.js';
import type { Attributes, LogRecord, OneSpan, SpanEvent, SpanLink, Tree } from '../../wire.js';
import type { Model } from './model.js';

export function Details({
  trace,
  model,
  at,
  onClose,
  onFocus,
}: {
  readonly trace: Tree;
  readonly model: Model;
  readonly at: number;
  readonly onClose: () => void;
  readonly onFocus: (at: number) => void;
}): JSX.Element {
  const bar = model.bars[at]!;
  const answer = useAnswer<OneSpan>(path`/traces/${trace.trace_id}/spans/${bar.id}`, {}, { live: false, exact: true });
  const [raw, showRaw] = useState(false);
  const span = answer.stale ? undefined : answer.answer?.span;
  const below = model.end[at]! - at - 1;
  return (
    <Drawer
      title={line(bar.name)}
      onClose={onClose}
      actions={
        <>
          {below > 0 && (
            <button
              type="button"
              class="icon-button"
              aria-label="Show this span as the root"
              title="Show this span as the root (f)"
              onClick={() => onFocus(at)}
            >
              <Icon name="focus" size={14} />
            </button>
          )}
          <Copy
            text={() => askText(path`/traces/${trace.trace_id}`, { focus: bar.id })}
            label="Copy this span and what is below it as text"
            icon="logs"
          />
          <Copy text={bar.id} label="Copy the span id" />
        </>
      }
    >
      <dl class="facts">
        <dt>service</dt>
        <dd>
          <ServiceName name={bar.service} />
        </dd>
        <dt>start</dt>
        <dd class="number">
          +{duration(bar.start)} <span class="quiet">{clock(absolute(trace, bar.start), { digits: 6 })}</span>
        </dd>
        <dt>duration</dt>
        <dd class="number">
          {duration(bar.duration)}
          {bar.children > 0 && <span class="quiet">, {duration(model.self[at])} in itself</span>}
        </dd>
        <dt>kind</dt>
        <dd>{bar.kind}</dd>
        <dt>status</dt>
        <dd class={bar.status === 'error' ? 'error' : ''}>{bar.status}</dd>
        <dt>span</dt>
        <dd>
          <code>{bar.id}</code>
        </dd>
        {below > 0 && (
          <>
            <dt>below</dt>
            <dd class="number">
              {of(below, 'span')}, {count(bar.children)} directly
            </dd>
          </>
        )}
      </dl>
      {answer.error && <Wrong error={answer.error} again={answer.again} />}
      {!span &&
        !answer.error &&
        (answer.loading ? <Loading lines={8} /> : <Empty title="The span is not here any more" />)}
      {span && (
        <>
          {span.status_message && <p class="message">{clean(span.status_message)}</p>}
          <AttributeTable title="Attributes" attributes={span.attributes as Attributes} of="attr" />
          <Events events={span.events ?? []} trace={trace} />
          <SpanLogs logs={answer.answer?.logs ?? []} trace={trace} span={bar.id} />
          <Links links={span.links ?? []} />
          <AttributeTable title="Resource" attributes={span.resource as Attributes} of="resource" />
          {span.scope && (
            <dl class="facts">
              <dt>scope</dt>
              <dd>{line(span.scope)}</dd>
            </dl>
          )}
          <section class="section">
            <h3>
              <button type="button" class="plain" aria-expanded={raw} onClick={() => showRaw(!raw)}>
                {raw ? 'Hide' : 'Show'} JSON
              </button>
              <Copy text={() => json(answer.answer, 2)} label="Copy as JSON" />
            </h3>
            {raw && (
              <pre class="code" tabIndex={0}>
                {clean(json(answer.answer, 2))}
              </pre>
            )}
          </section>
        </>
      )}
    </Drawer>
  );
}

/** A time of the trace as an answer has it. */
const absolute = (trace: Tree, offset: number): string => {
  const time = nanos(trace.start_time) + BigInt(Math.round(offset));
  return `${new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19)}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`;
};

const since = (trace: Tree, time: string): number => Number(nanos(time) - nanos(trace.start_time));

function Events({ events, trace }: { events: readonly SpanEvent[]; trace: Tree }): JSX.Element | null {
  if (events.length === 0) return null;
  return (
    <section class="section">
      <h3>
        Events <span class="quiet">{events.length}</span>
      </h3>
      {events.map((event, i) => {
        const { 'exception.stacktrace': stack, ...others } = event.attributes as Attributes;
        return (
          <details key={i} class="event-entry" open={events.length < 4}>
            <summary>
              <span class="number quiet">+{duration(since(trace, event.time))}</span> {line(event.name)}
              {event.name === 'exception' && <span class="error"> {line(String(others['exception.type'] ?? ''))}</span>}
            </summary>
            <AttributeTable attributes={others} />
            {typeof stack === 'string' && (
              <pre class="code" tabIndex={0} aria-label="Stack trace">
                {clean(stack)}
              </pre>
            )}
          </details>
        );
      })}
    </section>
  );
}

/** Log records of the span, and the way to all of them. */
function SpanLogs({
  logs,
  trace,
  span,
}: {
  logs: readonly LogRecord[];
  trace: Tree;
  span: string;
}): JSX.Element | null {
  if (logs.length === 0) return null;
  return (
    <section class="section">
      <h3>
        Logs of this span <span class="quiet">{logs.length}</span>
        <a href={href('logs', { trace: trace.trace_id, span, from: 'all', to: null })}>All of them</a>
      </h3>
      <ul class="span-logs">
        {[...logs]
          .reverse()
          .slice(0, 100)
          .map((log, i) => (
            <li key={i} class={`severity-${Math.floor((log.severity_number - 1) / 4)}`}>
              <span class="number quiet">
                +{duration(since(trace, log.time ?? log.observed_time ?? trace.start_time))}
              </span>{' '}
              <b>{line(log.severity_text ?? '')}</b> {clean(log.body ?? '')}
            </li>
          ))}
      </ul>
    </section>
  );
}

function Links({ links }: { links: readonly SpanLink[] }): JSX.Element | null {
  if (links.length === 0) return null;
  return (
    <section class="section">
      <h3>
        Links <span class="quiet">{links.length}</span>
      </h3>
      {links.map((link, i) => (
        <div key={i}>
          <a href={href(['trace', link.trace_id], { span: link.span_id })}>
            <code>
              {link.trace_id.slice(0, 16)} / {link.span_id}
            </code>
          </a>
          <AttributeTable attributes={link.attributes as Attributes} />
        </div>
      ))}
    </section>
  );
}

/** All of one log record: its attributes, its resource, its trace. */
import type { JSX } from 'preact';
import { useAnswer } from '../../api.js';
import { keyOf, levelOf, timeOf, timeOfKey } from '../../figures/records.js';
import { Drawer } from '../../frame/drawer.js';
import { AttributeTable, json } from '../../parts/attributes.js';
import { Copy } from '../../parts/copy.js';
import { filterBy } from '../../parts/filter.js';
import { Icon } from '../../parts/icons.js';
import { ServiceName } from '../../parts/service.js';
import { Loading, Wrong } from '../../parts/states.js';
import { clean, line } from '../../parts/text.js';
import { ago, clock, nanos } from '../../parts/time.js';
import { href, set } from '../../state/url.js';
import type { Attributes, LogRecord, Logs } from '../../wire.js';

/** `id` is the key of the record; it is asked for where the list does not have it. */
export function Details({ row, id }: { row: LogRecord | undefined; id: string }): JSX.Element {
  const time = row ? undefined : timeOfKey(id);
  const around = time === undefined ? {} : { from: nanos(time).toString(), to: (nanos(time) + 1n).toString() };
  const { answer, error, again } = useAnswer<Logs>(
    time === undefined ? null : '/logs',
    { ...around, limit: 1_000 },
    { live: false, exact: true },
  );
  const found = row ?? answer?.logs.find(row => keyOf(row) === id);
  const close = () => set({ log: null }, { replace: true });
  if (!found) {
    return (
      <Drawer title="Log record" onClose={close}>
        {error ? (
          <Wrong error={error} again={again} />
        ) : time !== undefined && !answer ? (
          <Loading />
        ) : (
          <p>This record is not there: retention may have deleted it, or the link is not whole.</p>
        )}
      </Drawer>
    );
  }
  return <Whole row={found} close={close} />;
}

function Whole({ row, close }: { row: LogRecord; close: () => void }): JSX.Element {
  const level = levelOf(row);
  const time = timeOf(row);
  const trace = row.trace_id;
  return (
    <Drawer
      title={line(row.event_name ?? (level === 'none' ? 'Log record' : level))}
      onClose={close}
      actions={<Copy text={() => json(row, 2)} label="Copy the record as JSON" />}
    >
      <div class="log-body">
        <pre class="code">{clean(row.body ?? '')}</pre>
        {row.body && <Copy text={row.body} label="Copy the body" />}
      </div>
      {trace && (
        <p class="links">
          <a class="button primary" href={href(['trace', trace], { span: row.span_id ?? null })}>
            <Icon name="traces" size={14} /> Trace
          </a>
          <button
            type="button"
            class="button"
            onClick={() => set({ trace, span: null, log: null, from: 'all', to: null })}
          >
            Logs of this trace
          </button>
        </p>
      )}
      <dl class="facts">
        <dt>time</dt>
        <dd class="number">
          {time === null ? 'none' : clock(time, { digits: 9, date: true })}{' '}
          {time !== null && <span class="quiet">{ago(time)}</span>}
        </dd>
        {row.time !== null && row.observed_time !== null && row.observed_time !== row.time && (
          <>
            <dt>observed</dt>
            <dd class="number">{clock(row.observed_time, { digits: 9, date: true })}</dd>
          </>
        )}
        <dt>severity</dt>
        <dd>
          <span class={`level ${level}`}>{level}</span>{' '}
          <span class="quiet">
            {row.severity_number}
            {row.severity_text && ` ${line(row.severity_text)}`}
          </span>
        </dd>
        <dt>service</dt>
        <dd>
          <button
            type="button"
            class="plain"
            title="Only this service"
            onClick={() => filterBy('service', row.service)}
          >
            <ServiceName name={row.service} />
          </button>
        </dd>
        {trace && (
          <>
            <dt>trace</dt>
            <dd>
              <code>{trace}</code> <Copy text={trace} label="Copy the trace id" />
            </dd>
          </>
        )}
        {row.span_id && (
          <>
            <dt>span</dt>
            <dd>
              <code>{row.span_id}</code> <Copy text={row.span_id} label="Copy the span id" />
            </dd>
          </>
        )}
        {row.scope && (
          <>
            <dt>scope</dt>
            <dd>{line(row.scope)}</dd>
          </>
        )}
      </dl>
      <AttributeTable title="Attributes" of="attr" attributes={row.attributes as Attributes} />
      <AttributeTable title="Resource" of="resource" attributes={row.resource as Attributes} />
    </Drawer>
  );
}

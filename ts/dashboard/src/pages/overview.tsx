/** What a newcomer sees first: services with how they do, and how the recorder does. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { together, useAnswer } from '../api.js';
import { stepFor } from '../parts/bars.js';
import { Copy } from '../parts/copy.js';
import { exactly } from '../parts/filter.js';
import { ServiceName } from '../parts/service.js';
import { Spark } from '../parts/spark.js';
import { Empty, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { clean } from '../parts/text.js';
import { ago, amount, bytes, clock, count, duration, millis, percent, rate } from '../parts/time.js';
import { useKeys } from '../state/keys.js';
import { between, from, instant, isRelative, last, rangeWords, to } from '../state/range.js';
import { go, href, picked, set, word } from '../state/url.js';
import type { Overview as Answer, Counts, Kept, Recorder, Service } from '../wire.js';

type Column = 'name' | 'rate' | 'errors' | 'p50' | 'p95' | 'p99' | 'seen';

const COLUMNS: readonly {
  readonly key: Column;
  readonly name: string;
  readonly title: string;
  readonly of: (service: Service) => number | string;
}[] = [
  { key: 'name', name: 'Service', title: 'service.name', of: ({ name }) => name },
  { key: 'rate', name: 'Rate', title: 'Requests: spans of the kinds server and consumer', of: ({ rate }) => rate },
  { key: 'errors', name: 'Errors', title: 'Share of requests that are errors', of: service => service.error_share },
  { key: 'p50', name: 'p50', title: 'Half of the requests took at most so long', of: ({ p50 }) => p50 ?? -1 },
  { key: 'p95', name: 'p95', title: '95 of 100 requests took at most so long', of: ({ p95 }) => p95 ?? -1 },
  { key: 'p99', name: 'p99', title: '99 of 100 requests took at most so long', of: ({ p99 }) => p99 ?? -1 },
  { key: 'seen', name: 'Last seen', title: 'When its latest span began', of: service => service.last_seen },
];

export default function Overview(): JSX.Element {
  const words = together(rangeWords(), picked(['service']));
  // Without a range the question means the last hour.
  const asked = from.value === 'all' ? together(words, { from: '1970-01-01' }) : words;
  const overview = useAnswer<Answer>('/overview', asked);
  const step = stepFor(instant(from.value), instant(to.value), 40);
  const counts = useAnswer<Counts>('/traces/counts', together(words, { by: 'service', ...(step ? { step } : {}) }));
  const [chosen, choose] = useState<number | undefined>();
  const sort = (COLUMNS.find(({ key }) => key === word('sort')?.replace('-', '')) ?? COLUMNS[0])!;
  const down = word('sort')?.startsWith('-') === true;
  const services = [...(overview.answer?.services ?? [])].sort((a, b) => {
    const [x, y] = [sort.of(a), sort.of(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || (a.name < b.name ? -1 : 1);
  });
  const open = (at: number) => services[at] && go(tracesOf(services[at]));
  useKeys('Overview', [
    { key: 'j', text: 'Next service', act: () => choose(Math.min(services.length - 1, (chosen ?? -1) + 1)) },
    { key: 'k', text: 'Service before', act: () => choose(Math.max(0, (chosen ?? 1) - 1)) },
    { key: 'Enter', text: 'Its traces', act: () => chosen !== undefined && open(chosen) },
  ]);
  if (overview.error && !overview.answer) return <Wrong alone error={overview.error} again={overview.again} />;
  if (!overview.answer) return <Loading lines={12} />;
  const { signals, recorder, searched } = overview.answer;
  const nothing = signals.every(({ first }) => first === null);
  if (nothing) return <FirstSteps recorder={recorder} />;
  const lines = ratesOf(counts.answer);
  return (
    <div class="page scroll overview">
      <header class="page-head">
        <h1>Services</h1>
        {services.length > 0 && <span class="quiet">{services.length}</span>}
        <SearchedNote searched={searched} />
      </header>
      {services.length === 0 ? (
        <NothingHere signals={signals} />
      ) : (
        <div class="table-box">
          <table class="table services-table">
            <thead>
              <tr>
                {COLUMNS.map(({ key, name, title }) => (
                  <th
                    key={key}
                    class={key === 'name' ? '' : 'number'}
                    aria-sort={sort.key === key ? (down ? 'descending' : 'ascending') : undefined}
                    title={title}
                    colSpan={key === 'rate' ? 2 : 1}
                  >
                    <button
                      type="button"
                      onClick={() =>
                        set({
                          sort:
                            sort.key === key && !down
                              ? `-${key}`
                              : sort.key === key
                                ? null
                                : key === 'name'
                                  ? null
                                  : `-${key}`,
                        })
                      }
                    >
                      {name} {sort.key === key && word('sort') ? (down ? '↓' : '↑') : ''}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {services.map((service, at) => (
                <tr key={service.name} aria-selected={at === chosen}>
                  <td class="name">
                    <a href={tracesOf(service)} class="quiet-link">
                      <ServiceName name={service.name} />
                    </a>
                  </td>
                  <td class="spark-cell">
                    <Spark values={lines.get(service.name) ?? []} label={`Spans of ${clean(service.name)} over time`} />
                  </td>
                  <td class="number" title={`${count(service.requests)} requests, ${count(service.spans)} spans`}>
                    {rate(service.rate)}
                  </td>
                  <td class={`number ${service.errors > 0 ? 'error' : 'quiet'}`}>
                    {service.errors > 0 ? (
                      <a
                        class="error"
                        href={`${tracesOf(service)}&status=error`}
                        title={`${count(service.errors)} of ${count(service.requests)} requests`}
                      >
                        {percent(service.error_share)}
                      </a>
                    ) : (
                      '0 %'
                    )}
                  </td>
                  <td class="number">{duration(service.p50)}</td>
                  <td class="number">{duration(service.p95)}</td>
                  <td class="number">{duration(service.p99)}</td>
                  <td class="number quiet" title={clock(service.last_seen, { date: true })}>
                    {ago(service.last_seen)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <RecorderCards signals={signals} recorder={recorder} />
    </div>
  );
}

/** The traces in which a service takes part. */
const tracesOf = (service: Service): string => href('traces', { service: exactly(service.name) });

/** Spans of each service over time, for lines. */
function ratesOf(counts: Counts | undefined): ReadonlyMap<string, readonly number[]> {
  const lines = new Map<string, number[]>();
  if (!counts || counts.buckets.length === 0) return lines;
  const step = counts.step / 1e6;
  const times = counts.buckets.map(({ time }) => millis(time));
  const begin = Math.floor((counts.searched.from ? millis(counts.searched.from) : Math.min(...times)) / step) * step;
  const end = Math.max(...times, counts.searched.to ? millis(counts.searched.to) - step : 0);
  const slots = Math.min(500, Math.max(1, Math.round((end - begin) / step) + 1));
  counts.buckets.forEach(({ group, count }, i) => {
    const line = lines.get(group ?? '') ?? new Array<number>(slots).fill(0);
    const slot = Math.round((times[i]! - begin) / step);
    if (slot >= 0 && slot < slots) line[slot]! += count;
    lines.set(group ?? '', line);
  });
  return lines;
}

function NothingHere({ signals }: { signals: readonly Kept[] }): JSX.Element {
  const latest = signals
    .map(({ last }) => last)
    .filter(last => last !== null)
    .sort()
    .at(-1);
  const earliest = signals
    .map(({ first }) => first)
    .filter(first => first !== null)
    .sort()[0];
  return (
    <Empty
      title={word('service') ? 'That service has no spans in this range of time' : 'No spans in this range of time'}
    >
      {latest && earliest && (
        <>
          <p>
            The latest record is of {clock(latest, { date: true, digits: 0 })}, {ago(latest)}.
          </p>
          <p>
            <button
              type="button"
              class="button primary"
              onClick={() =>
                isRelative.value && Date.now() - millis(latest) < 23 * 3600e3
                  ? last('-24h')
                  : between(Math.max(millis(earliest), millis(latest) - 3600e3), millis(latest) + 1000)
              }
            >
              Show the hours before it
            </button>
          </p>
        </>
      )}
    </Empty>
  );
}

/** Nothing is kept yet: three lines that change that. */
function FirstSteps({ recorder }: { recorder: Recorder }): JSX.Element {
  const port = location.port || '4318';
  const here = recorder.stats !== null;
  const lines = here
    ? `export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:${port}\nexport OTEL_SERVICE_NAME=my-service\nnode --import @opentelemetry/auto-instrumentations-node/register app.js`
    : 'npm i otlp-arrow @opentelemetry/sdk-node\nexport OTEL_SERVICE_NAME=my-service\nnode --import otlp-arrow/register app.js';
  const curl = `curl -H 'content-type: application/json' http://localhost:${port}/v1/traces -d '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"my first span","kind":2,"startTimeUnixNano":"'$(date +%s)'000000000","endTimeUnixNano":"'$(date +%s)'250000000"}]}]}]}'`;
  return (
    <Empty alone title="Nothing is kept yet">
      <p>
        {here ? (
          'Any OpenTelemetry SDK sends to this address by itself. With Node.js:'
        ) : (
          <>
            Nothing has been recorded into <code>{clean(recorder.output_dir)}</code>. With Node.js:
          </>
        )}
      </p>
      <CodeBlock text={lines} />
      {here && (
        <>
          <p>Or one span by hand:</p>
          <CodeBlock text={curl} />
        </>
      )}
      <p class="quiet">It appears here by itself.</p>
    </Empty>
  );
}

function CodeBlock({ text }: { text: string }): JSX.Element {
  return (
    <div class="code-block">
      <pre class="code" tabIndex={0}>
        {text}
      </pre>
      <Copy text={text} label="Copy" />
    </div>
  );
}

/** How the recorder does: what is kept, and what is not well. */
function RecorderCards({ signals, recorder }: { signals: readonly Kept[]; recorder: Recorder }): JSX.Element {
  const names = { traces: 'Spans', metrics: 'Data points', logs: 'Log records' };
  const stats = recorder.stats as {
    committed_records?: Record<string, number>;
    waiting_records?: Record<string, number>;
    dropped_records?: Record<string, number>;
  } | null;
  return (
    <section class="recorder-cards" aria-label="Recorder">
      <h2>
        {stats ? 'Recorder' : 'Directory'} <code class="quiet">{clean(recorder.output_dir)}</code>
        {recorder.health && (
          <span class={`tag ${recorder.health.status === 'ok' ? '' : 'is-warn'}`}>{recorder.health.status}</span>
        )}
      </h2>
      {recorder.health?.problems.map((problem, i) => (
        <p key={i} class="note">
          {clean(String(problem.message))}
        </p>
      ))}
      <div class="cards">
        {signals.map(kept => (
          <div key={kept.signal} class="card">
            <h3>{names[kept.signal]}</h3>
            <p class="big">{bytes(kept.bytes)}</p>
            <dl class="facts">
              <dt>files</dt>
              <dd>{count(kept.files)}</dd>
              {kept.first && (
                <>
                  <dt>since</dt>
                  <dd>{clock(kept.first, { digits: 0 })}</dd>
                  <dt>latest</dt>
                  <dd title={clock(kept.last!, { date: true })}>{ago(kept.last!)}</dd>
                </>
              )}
              {stats?.committed_records && (
                <>
                  <dt>recorded</dt>
                  <dd>{amount(stats.committed_records[kept.signal] ?? 0)} since it started</dd>
                </>
              )}
              {(stats?.dropped_records?.[kept.signal] ?? 0) > 0 && (
                <>
                  <dt class="error">lost</dt>
                  <dd class="error">{amount(stats!.dropped_records![kept.signal]!)}</dd>
                </>
              )}
            </dl>
          </div>
        ))}
        {recorder.destinations.map(destination => (
          <div key={String(destination.name)} class="card">
            <h3>to {clean(String(destination.name))}</h3>
            <p class="big">{clean(String(destination.breaker ?? destination.state ?? ''))}</p>
            <p class="quiet">{clean(String(destination.endpoint ?? ''))}</p>
          </div>
        ))}
      </div>
    </section>
  );
}

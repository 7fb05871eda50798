/** Metrics: which there are, and one of them over time. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { at, together, useAnswer } from '../api.js';
import { unitText } from '../figures/units.js';
import { Chips } from '../parts/chips.js';
import { List } from '../parts/list.js';
import { Spark } from '../parts/spark.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { line } from '../parts/text.js';
import { count, millis } from '../parts/time.js';
import { useKeys } from '../state/keys.js';
import { from, instant, rangeWords, to } from '../state/range.js';
import { below, go, href, picked, word } from '../state/url.js';
import type { Metric, Metrics, Series } from '../wire.js';
import { Detail, isDrawn } from './metrics/detail.js';

/** Words that say which data points are meant. */
export const WORDS = ['service', 'attr', 'resource'] as const;

/** What a type is called, in few letters. */
const TYPES: { readonly [type: string]: string } = {
  gauge: 'gauge',
  sum: 'sum',
  histogram: 'histogram',
  exponential_histogram: 'exp. histogram',
  summary: 'summary',
};

export const typeText = ({ type, monotonic }: Pick<Metric, 'type' | 'monotonic'>): string =>
  type === 'sum' && monotonic ? 'counter' : (TYPES[type] ?? type);

export default function MetricsPage(): JSX.Element {
  const words = together(rangeWords(), picked(WORDS));
  const { answer, error, stale, again } = useAnswer<Metrics>('/metrics', together(words, { limit: 5_000 }));
  const [typed, type] = useState('');
  const name = below.value[0];
  const kind = word('kind');
  const all = answer?.metrics ?? [];
  const wanted = typed.toLowerCase().trim().split(/\s+/);
  const shown = all.filter(metric =>
    wanted.every(text =>
      `${metric.name} ${metric.type} ${metric.unit} ${metric.services.join(' ')}`.toLowerCase().includes(text),
    ),
  );
  const isChosen = (metric: Metric) => metric.name === name && (kind === undefined || metric.type === kind);
  const chosen = shown.findIndex(isChosen);
  const metric = all.find(isChosen);
  const open = (one: Metric) => {
    const isAlone = all.filter(({ name }) => name === one.name).length === 1;
    go(
      href(['metrics', one.name], {
        ...Object.fromEntries(picked(['attr', 'resource'])),
        kind: isAlone ? null : one.type,
      }),
      { replace: name !== undefined },
    );
  };
  useKeys('Metrics', [
    { key: 'f', text: 'Find a metric', act: () => document.querySelector<HTMLInputElement>('.metric-find')?.focus() },
    { key: 'j', text: 'Next metric', act: () => shown[chosen + 1] && open(shown[chosen + 1]!) },
    { key: 'k', text: 'Metric before', act: () => shown[chosen - 1] && open(shown[chosen - 1]!) },
  ]);
  return (
    <div class="page">
      <header class="page-head">
        <h1>Metrics</h1>
        {answer && <span class="quiet">{count(all.length)}</span>}
        <Chips words={WORDS} />
      </header>
      <SearchedNote searched={answer?.searched} />
      {error && !answer && <Wrong error={error} again={again} />}
      {!answer && !error && <Loading lines={12} />}
      {answer && all.length === 0 && (
        <Empty title="No metric in this time">
          <Hints searched={answer.searched} />
          <p class="quiet">
            Metrics are exported once a minute by most SDKs, so the first ones take a while (
            <code>OTEL_METRIC_EXPORT_INTERVAL=5000</code> for every five seconds).
          </p>
          <p>
            <a class="button" href={href('metrics', { from: 'all', to: null })}>
              Search everything
            </a>
          </p>
        </Empty>
      )}
      {all.length > 0 && (
        <div class={`metrics ${stale ? 'stale' : ''}`}>
          <div class="metric-list">
            <input
              class="input metric-find"
              type="search"
              placeholder="Find a metric (f)"
              aria-label="Find a metric by name, type, unit or service"
              value={typed}
              onInput={event => type(event.currentTarget.value)}
              onKeyDown={event => {
                if (event.key === 'Enter' && shown[0]) open(shown[0]);
                if (event.key === 'Escape') event.currentTarget.blur();
              }}
            />
            {shown.length === 0 && <p class="quiet pad">No metric is called so.</p>}
            {shown.length > 0 && (
              <List
                label="Metrics"
                count={shown.length}
                height={44}
                chosen={chosen < 0 ? undefined : chosen}
                onChoose={at => shown[at] && open(shown[at])}
                row={at => <Row metric={shown[at]!} words={words} />}
              />
            )}
          </div>
          <div class="metric-detail">
            {name === undefined ? (
              <Empty title="Choose a metric">
                <p class="quiet">
                  Its rate, value, quantiles or heat map is drawn here, apart by any attribute; dots lead to traces.
                </p>
              </Empty>
            ) : metric ? (
              <Detail
                key={`${metric.name}\n${metric.type}`}
                metric={metric}
                kinds={all.filter(other => other.name === name)}
              />
            ) : (
              <Empty title="Nothing of this metric in this time">
                <p>
                  <code>{line(name)}</code> has no data points here: choose a longer range of time, or another service.
                </p>
              </Empty>
            )}
          </div>
        </div>
      )}
    </div>
  );
}

function Row({ metric, words }: { metric: Metric; words: ReturnType<typeof together> }): JSX.Element {
  const unit = unitText({ show: 'value', unit: metric.unit, type: metric.type });
  return (
    <>
      <span class="grow metric-name">
        <span class="cut" title={line(metric.name)}>
          {line(metric.name)}
        </span>
        <span class="quiet cut">
          {typeText(metric)}
          {unit !== '' && ` · ${line(unit)}`}
        </span>
      </span>
      <MetricSpark metric={metric} words={words} />
    </>
  );
}

/** How it went, all of its series together: asked for when the row is in sight. */
function MetricSpark({ metric, words }: { metric: Metric; words: ReturnType<typeof together> }): JSX.Element {
  const isCounted = metric.type !== 'gauge' && !(metric.type === 'sum' && !metric.monotonic);
  const asked = together(words, {
    kind: metric.type,
    by: 'name',
    show: isCounted ? 'rate' : 'value',
    top: 1,
    exemplars: 0,
  });
  const { answer } = useAnswer<Series>(
    isDrawn.value || below.value[0] === undefined ? at`/metrics/${metric.name}` : null,
    asked,
    { live: false },
  );
  const points = answer?.lines[0]?.points ?? [];
  const step = (answer?.step ?? 0) / 1e6;
  const [begin, end] = [instant(from.value), instant(to.value)];
  const first = points[0] ? millis(points[0].time) : 0;
  const last = points.at(-1) ? millis(points.at(-1)!.time) : 0;
  // Steps that have none are none: a rate of zero, a gauge that says nothing.
  const slots = step > 0 ? Math.min(400, Math.round((last - first) / step) + 1) : 0;
  const values = new Array<number>(slots).fill(0);
  for (const point of points) values[Math.round((millis(point.time) - first) / step)] = point.value ?? 0;
  const share =
    begin !== undefined && end !== undefined && end > begin
      ? Math.max(0.15, Math.min(1, (last - first) / (end - begin)))
      : 1;
  return (
    <span class="metric-spark">
      <Spark values={values} width={Math.round(84 * share)} height={22} label={`${metric.name} over time`} />
    </span>
  );
}

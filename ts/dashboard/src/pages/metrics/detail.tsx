/** One metric over time: what is shown of it, apart by what, as a chart or as a table. */
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { at, together, useAnswer } from '../../api.js';
import { heat as heatOf } from '../../figures/heat.js';
import { aligned, ended, nameOf, otherWords, SPLIT } from '../../figures/series.js';
import { bucketText, unitText, valueText } from '../../figures/units.js';
import { paint } from '../../parts/colours.js';
import { Copy } from '../../parts/copy.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../../parts/states.js';
import { clean, line } from '../../parts/text.js';
import { clock, count, duration, millis } from '../../parts/time.js';
import { useKeys } from '../../state/keys.js';
import { from, instant, isRelative, rangeWords, to } from '../../state/range.js';
import { theme } from '../../state/theme.js';
import { all, href, picked, set, toggle, word } from '../../state/url.js';
import type { AttributeKeys, Line, Metric, Series } from '../../wire.js';
import { type Dot, HeatPlot, LinePlot, type PlotLine } from './plot.js';

/** What can be shown of a type, the usual first; with what that is called. */
const SHOWS: { readonly [type: string]: readonly (readonly [show: string, text: string])[] } = {
  gauge: [['value', 'Value']],
  counter: [
    ['rate', 'Rate'],
    ['increase', 'Increase'],
    ['value', 'Value'],
  ],
  histogram: [
    ['quantile', 'Quantiles'],
    ['buckets', 'Heat map'],
    ['rate', 'Rate'],
    ['mean', 'Mean'],
  ],
  summary: [
    ['quantile', 'Quantiles'],
    ['rate', 'Rate'],
    ['mean', 'Mean'],
  ],
};

function showsOf({ type, monotonic }: Metric): (typeof SHOWS)[string] {
  if (type === 'sum') return SHOWS[monotonic ? 'counter' : 'gauge']!;
  return SHOWS[type === 'exponential_histogram' ? 'histogram' : type] ?? SHOWS.gauge!;
}

/** Hues that are told apart, for lines that are not services. */
const HUES = [265, 70, 150, 320, 205, 110, 235, 90, 340, 180, 290];

function colourOf(name: string, at: number, isService: boolean): string {
  if (isService) return paint(name, theme.value);
  return `oklch(${theme.value === 'light' ? 0.56 : 0.74} 0.14 ${HUES[at % HUES.length]})`;
}

/** Whether the chart of the metric that is chosen is there: what is beside it is asked for behind it. */
export const isDrawn = signal(false);

export function Detail({ metric, kinds }: { metric: Metric; kinds: readonly Metric[] }): JSX.Element {
  const shows = showsOf(metric);
  const show = shows.find(([show]) => show === word('show'))?.[0] ?? shows[0]![0];
  const isHeat = show === 'buckets';
  // A heat map is of all series together.
  const split = isHeat ? undefined : word('split');
  const isTable = word('view') === 'table';
  const filter = together(rangeWords(), picked(['service', 'attr', 'resource']), { kind: metric.type });
  const asked = together(filter, {
    show,
    top: SPLIT,
    exemplars: 20,
    ...(split === 'series' ? {} : { by: split ?? 'name' }),
    step: word('step'),
  });
  const { answer, error, stale, again } = useAnswer<Series>(at`/metrics/${metric.name}`, asked);
  useEffect(() => {
    if (answer || error) isDrawn.value = true;
  }, [answer, error]);
  // What the split does not show, together; of services that are chosen there are not so many.
  const isOthers = split !== undefined && split !== 'series' && !(split === 'service' && all('service').length > 0);
  const rest = isOthers && answer ? otherWords(answer, split) : null;
  const restWords =
    rest &&
    together(
      filter,
      { show, by: 'name', exemplars: 0, step: word('step') ?? (answer ? `${answer.step}ns` : undefined) },
      merged(filter, rest),
    );
  const others = useAnswer<Series>(restWords ? at`/metrics/${metric.name}` : null, restWords ?? {});
  useKeys('Metric', [{ key: 'v', text: 'Chart or table', act: () => set({ view: isTable ? null : 'table' }) }]);

  const settle = (of: Series | undefined) => (of && isRelative.value ? ended(of.lines, of.step) : (of?.lines ?? []));
  const lines = settle(answer);
  const restLines = restWords ? settle(others.answer).map(line => ({ ...line, labels: { other: 'other' } })) : [];
  const unit = unitText({ show: show === 'buckets' ? 'value' : show, unit: metric.unit, type: metric.type });
  return (
    <div class={stale && answer ? 'stale' : ''}>
      <header class="metric-head">
        <h2>
          {line(metric.name)} <Copy text={metric.name} label="Copy the name" />
        </h2>
        {metric.description && <p class="quiet">{clean(metric.description)}</p>}
        <p class="quiet">
          {metric.type.replace('_', ' ')}
          {metric.temporality && `, ${metric.temporality}`}
          {metric.unit !== '' && (
            <>
              , in <code>{line(metric.unit)}</code>
            </>
          )}
          , {count(metric.series)} series of {metric.services.map(line).join(', ') || 'no service'}
        </p>
        {kinds.length > 1 && (
          <p class="note">
            {kinds.length} metrics are called so, of other types or units:{' '}
            {kinds.map(other => (
              <a key={`${other.type} ${other.unit}`} href={href(['metrics', other.name], { kind: other.type })}>
                {other.type} {line(other.unit)}{' '}
              </a>
            ))}
          </p>
        )}
      </header>
      <div class="metric-controls">
        <div class="tabs" role="group" aria-label="What is shown">
          {shows.map(([value, text]) => (
            <button
              key={value}
              type="button"
              aria-pressed={value === show}
              onClick={() => set({ show: value === shows[0]![0] ? null : value, hide: null })}
            >
              {text}
            </button>
          ))}
        </div>
        {!isHeat && <Split metric={metric} split={split} />}
        <span class="spring" />
        <div class="tabs" role="group" aria-label="View">
          <button type="button" aria-pressed={!isTable} onClick={() => set({ view: null })}>
            Chart
          </button>
          <button type="button" aria-pressed={isTable} onClick={() => set({ view: 'table' })}>
            Table
          </button>
        </div>
      </div>
      <SearchedNote searched={answer && answer.searched.why !== 'limit' ? answer.searched : undefined} />
      {answer?.warnings.map(warning => (
        <p key={warning} class="note">
          {clean(warning)}
        </p>
      ))}
      {error && <Wrong error={error} again={again} />}
      {!answer && !error && <Loading lines={6} />}
      {answer && lines.length === 0 && !error && (
        <Empty title="No value in this time">
          <Hints searched={answer.searched} />
          <p class="quiet">A rate needs two points of a series: choose a longer range of time.</p>
        </Empty>
      )}
      {answer &&
        lines.length > 0 &&
        (isHeat ? (
          <HeatMap answer={answer} isTable={isTable} />
        ) : (
          <Lines answer={answer} lines={[...lines, ...restLines]} isTable={isTable} split={split} unit={unit} />
        ))}
      {answer && !!answer.left_out && (split === 'series' || !isOthers) && (
        <p class="quiet">{count(answer.left_out)} more lines with smaller values are left out.</p>
      )}
    </div>
  );
}

/** The words of a filter and more of them: conditions of one word all hold. */
function merged(
  filter: ReturnType<typeof together>,
  more: readonly (readonly [string, string])[],
): { readonly [word: string]: readonly string[] } {
  const found: { [word: string]: string[] } = {};
  for (const [name, value] of more) {
    const values = found[name] ?? [...(filter.get(name) ?? [])];
    found[name] = [...values, value];
  }
  return found;
}

/** By what lines are told apart. */
function Split({ metric, split }: { metric: Metric; split: string | undefined }): JSX.Element {
  const words = together(rangeWords(), picked(['service']), { signal: 'metrics', name: metric.name, limit: 100 });
  const keys = useAnswer<AttributeKeys>('/attributes', words, { live: false });
  const offered = (keys.answer?.attributes ?? [])
    .filter(({ of, key }) => of === 'record' || !/^(service\.name|telemetry\.sdk)/.test(key))
    .map(({ of, key }) => `${of === 'resource' ? 'resource' : 'attr'}:${key}`);
  const known = ['service', ...offered];
  return (
    <label class="split">
      <span class="quiet">by</span>
      <select
        class="input"
        aria-label="Apart by"
        value={split ?? ''}
        onChange={event => set({ split: event.currentTarget.value || null, hide: null })}
      >
        <option value="">all together</option>
        <option value="series">each series</option>
        {split !== undefined && split !== 'series' && !known.includes(split) && (
          <option value={split}>{line(split)}</option>
        )}
        {known.map(by => (
          <option key={by} value={by}>
            {line(by.replace(/^attr:/, ''))}
          </option>
        ))}
      </select>
    </label>
  );
}

const range = (): readonly [number | undefined, number | undefined] => [instant(from.value), instant(to.value)];

/** Single values that lead to a trace. */
function dotsOf(lines: readonly Line[], isOfValue: boolean): Dot[] {
  return lines
    .flatMap(line => (line.exemplars ?? []).map(exemplar => ({ line, exemplar })))
    .filter(({ exemplar }) => exemplar.trace_id !== undefined)
    .map(({ line: of, exemplar }) => {
      const value = valueText(exemplar.value, { ...of, show: 'value' });
      const title = `${value} at ${clock(exemplar.time)}: ${exemplar.kept ? 'to its trace' : 'its trace is not kept here'}`;
      return {
        time: millis(exemplar.time),
        value: isOfValue ? exemplar.value : null,
        title,
        href: exemplar.kept ? href(['trace', exemplar.trace_id!], { span: exemplar.span_id ?? null }) : undefined,
      };
    });
}

function Lines({
  answer,
  lines,
  isTable,
  split,
  unit,
}: {
  readonly answer: Series;
  readonly lines: readonly Line[];
  readonly isTable: boolean;
  readonly split: string | undefined;
  readonly unit: string;
}): JSX.Element {
  const { times, values } = aligned(lines, answer.step);
  const hidden = new Set(all('hide'));
  const of = lines[0]!;
  const format = (value: number) => valueText(value, of);
  const shown = lines.map((line, at): PlotLine => {
    const isOther = line.labels.other === 'other' && at >= answer.lines.length;
    const share = line.quantile === undefined ? '' : ` p${Number((line.quantile * 100).toPrecision(6))}`;
    const name = isOther
      ? `other${share}`
      : split === undefined
        ? share.trim() || line.show
        : split === 'series'
          ? nameOf(line)
          : `${splitValue(line, split)}${share}`;
    return {
      name,
      colour: isOther
        ? 'var(--quiet)'
        : colourOf(line.labels.service ?? name, at, split === 'service' && line.quantile === undefined),
      values: values[at]!,
      isHidden: hidden.has(name),
      isOther,
    };
  });
  const isOfValue = ['quantile', 'mean', 'value'].includes(of.show);
  const dots = dotsOf(answer.lines, isOfValue);
  const label = `${answer.metric}: ${of.show} of ${lines.length} lines over time; the table has the same numbers`;
  return (
    <>
      {isTable ? (
        <Table times={times} lines={shown} format={format} />
      ) : (
        <LinePlot
          times={times}
          lines={shown.map(line => (line.isOther ? { ...line, colour: quiet() } : line))}
          step={answer.step}
          range={range()}
          dots={dots}
          label={label}
          format={format}
        />
      )}
      <table class="table legend">
        <caption class="hidden">Lines of the chart</caption>
        <thead>
          <tr>
            <th scope="col">Line {unit !== '' && <span class="quiet">in {line(unit)}</span>}</th>
            <th scope="col" class="number">
              Latest
            </th>
            <th scope="col" class="number">
              Mean
            </th>
            <th scope="col" class="number">
              Least
            </th>
            <th scope="col" class="number">
              Greatest
            </th>
            <th scope="col" class="number">
              Series
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one, at) => {
            const known = one.values.filter((value): value is number => value !== null);
            return (
              <tr key={one.name} class={one.isHidden ? 'is-hidden' : ''}>
                <td>
                  <button
                    type="button"
                    class="line-name"
                    aria-pressed={!one.isHidden}
                    title={one.isHidden ? 'Show it' : 'Hide it'}
                    onClick={() => toggle('hide', one.name)}
                  >
                    <i class="swatch" style={{ background: one.colour }} />
                    <span class="cut">{line(one.name)}</span>
                  </button>
                </td>
                <td class="number">{valueText(known.at(-1), of)}</td>
                <td class="number">
                  {valueText(
                    known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length,
                    of,
                  )}
                </td>
                <td class="number">{valueText(known.length === 0 ? null : Math.min(...known), of)}</td>
                <td class="number">{valueText(known.length === 0 ? null : Math.max(...known), of)}</td>
                <td class="number quiet">{count(lines[at]!.series)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="quiet">
        A step is {duration(answer.step)}.
        {dots.length > 0 && ` ${dots.length} exemplars: dots on the chart, filled where their trace is kept.`}
      </p>
    </>
  );
}

/** The value that a split tells a line by. */
const splitValue = (line: Line, split: string): string =>
  line.labels[/^(service$|attr:|resource:)/.test(split) ? split : `attr:${split}`] ?? 'none';

const quiet = (): string => (theme.value === 'light' ? '#5b6270' : '#9ea6b5');

/** The numbers of the chart, the latest first. */
function Table({
  times,
  lines,
  format,
}: {
  times: readonly number[];
  lines: readonly PlotLine[];
  format: (value: number) => string;
}): JSX.Element {
  const shown = lines.filter(({ isHidden }) => !isHidden);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls takes the focus
    <div class="table-box values" tabIndex={0}>
      <table class="table">
        <caption class="hidden">Values by time</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {shown.map(({ name }) => (
              <th key={name} scope="col" class="number">
                {line(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times
            .map((time, at) => ({ time, at }))
            .reverse()
            .slice(0, 1_000)
            .map(({ time, at }) => (
              <tr key={time}>
                <th scope="row" class="number">
                  {clock(new Date(time * 1000).toISOString(), { digits: 0 })}
                </th>
                {shown.map(({ name, values }) => (
                  <td key={name} class="number">
                    {values[at] === null || values[at] === undefined ? '–' : format(values[at])}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

function HeatMap({ answer, isTable }: { answer: Series; isTable: boolean }): JSX.Element {
  // Histograms of other bounds do not add: those of the first bounds are drawn, the warning says so.
  const bounds = answer.lines[0]!.labels.bounds;
  const lines = answer.lines.filter(({ labels }) => labels.bounds === bounds);
  const map = heatOf(lines, answer.step);
  const of = lines[0]!;
  const edge = (value: number) => valueText(value, { ...of, show: 'value' });
  const totals = map.rows.map(({ counts }) => counts.reduce((sum, value) => sum + value, 0));
  const total = totals.reduce((sum, value) => sum + value, 0);
  const dots = dotsOf(answer.lines, true);
  return (
    <>
      {!isTable && (
        <HeatPlot
          times={map.times}
          heat={map}
          step={answer.step}
          range={range()}
          dots={dots}
          edge={edge}
          tell={(row, values) => `${count(values)} values, ${bucketText(row.above, row.upTo, of)}`}
          label={`${answer.metric}: how many values were in each of ${map.rows.length} buckets over time; the table has the same numbers`}
        />
      )}
      {isTable && (
        <table class="table legend">
          <caption class="hidden">Values by bucket</caption>
          <thead>
            <tr>
              <th scope="col">Bucket</th>
              <th scope="col" class="number">
                Values
              </th>
              <th scope="col" class="number">
                Share
              </th>
            </tr>
          </thead>
          <tbody>
            {map.rows.map((row, at) => (
              <tr key={`${row.above} ${row.upTo}`}>
                <td>{bucketText(row.above, row.upTo, of)}</td>
                <td class="number">{count(totals[at]!)}</td>
                <td class="number">{total > 0 ? `${((100 * totals[at]!) / total).toFixed(1)} %` : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="quiet">
        A step is {duration(answer.step)}; stronger is more, up to {count(map.most)} values of a step in a bucket.
        {dots.length > 0 && ` ${dots.length} exemplars.`}
      </p>
    </>
  );
}

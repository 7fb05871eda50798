/** A chart on uPlot: lines, or cells of a heat map; dragging over it chooses a range, and dots on it lead to traces. */
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { cellAt, type Heat, strength } from '../../figures/heat.js';
import { axis as ticks } from '../../parts/bars.js';
import { clock } from '../../parts/time.js';
import { between } from '../../state/range.js';
import { colour, theme } from '../../state/theme.js';

/** One line of a chart. */
export interface PlotLine {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly isHidden: boolean;
  /** Drawn with dashes: what is put together of everything else. */
  readonly isOther?: boolean;
}

/** A single value that leads to a trace. */
export interface Dot {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Where it stands; at the foot of the chart where the chart shows something else. */
  readonly value: number | null;
  readonly title: string;
  readonly href: string | undefined;
}

interface Common {
  readonly times: readonly number[];
  readonly step: number;
  /** Milliseconds. */
  readonly range: readonly [number | undefined, number | undefined];
  readonly dots: readonly Dot[];
  readonly label: string;
  readonly height?: number;
}

const FONT = '10.5px system-ui, sans-serif';
const WIDE = 64;

/** What is drawn is in the place of the chart before it: sizes and themes make another one. */
function usePlot(
  box: { readonly current: HTMLDivElement | null },
  make: (width: number, ready: (plot: uPlot) => void) => uPlot,
  changes: readonly unknown[],
): { readonly plot: uPlot | undefined; readonly width: number } {
  const [width, setWidth] = useState(0);
  const [plot, setPlot] = useState<uPlot>();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.floor(entry!.contentRect.width))));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (width === 0) return;
    // Places are known once it was drawn.
    const made = make(width, setPlot);
    return () => made.destroy();
  }, [width, theme.value, ...changes]);
  return { plot, width };
}

/** The part of the options that both have. */
function options(
  width: number,
  { height = 280, range, times, step }: Common,
  more: Pick<uPlot.Options, 'series' | 'hooks'> & { y: uPlot.Scale; yAxis: Partial<uPlot.Axis> },
): uPlot.Options {
  const [line, text] = [colour('--line'), colour('--quiet')];
  const first = (range[0] ?? (times[0] ?? 0) * 1000 - step / 1e6) / 1000;
  const last = Math.max((range[1] ?? 0) / 1000, times.at(-1) ?? first + 1);
  const axis = { stroke: text, font: FONT, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [10, 12, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, y: false, points: { size: 7 } },
    scales: { x: { time: true, range: () => [first, Math.max(last, first + 1)] }, y: more.y },
    axes: [
      {
        ...axis,
        size: 28,
        splits: (_plot, _axis, begin, end) =>
          ticks(begin * 1000, end * 1000, Math.max(2, Math.floor(width / 130))).map(({ time }) => time / 1000),
        values: (plot, splits) => {
          const { min, max } = plot.scales.x!;
          const known = ticks((min ?? 0) * 1000, (max ?? 1) * 1000, Math.max(2, Math.floor(width / 130)));
          return splits.map(split => known.find(({ time }) => time / 1000 === split)?.text ?? '');
        },
      },
      { ...axis, size: WIDE, ...more.yAxis },
    ],
    series: more.series,
    hooks: {
      ...more.hooks,
      setSelect: [
        plot => {
          const { left, width } = plot.select;
          if (width < 4) return;
          between(plot.posToVal(left, 'x') * 1000, plot.posToVal(left + width, 'x') * 1000);
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

export function LinePlot(
  props: Common & {
    readonly lines: readonly PlotLine[];
    readonly format: (value: number) => string;
    readonly isBars?: boolean;
  },
): JSX.Element {
  const { times, lines, format, label } = props;
  const box = useRef<HTMLDivElement>(null);
  const [pointed, point] = useState<number | null>(null);
  const shape = lines.map(({ name, colour, isHidden }) => `${name}\n${colour}\n${isHidden}`).join('\n\n');
  const { plot, width } = usePlot(
    box,
    (width, ready) => {
      const series: uPlot.Series[] = lines.map(({ name, colour, isHidden, isOther }) => ({
        label: name,
        stroke: colour,
        width: 1.6,
        show: !isHidden,
        spanGaps: false,
        ...(isOther ? { dash: [5, 4] } : {}),
        // A value without neighbours would not be seen.
        points: { size: 4, filter: (plot, at, _shown, gaps) => alone(plot.data[at]!, gaps ?? null) },
      }));
      const made: uPlot.Options = options(width, props, {
        series: [{}, ...series],
        y: {
          range: (_plot, least, most) => {
            if (least === null || most === null || !Number.isFinite(least + most)) return [0, 1];
            const low = least < 0 ? least * 1.05 : 0;
            return [low, most > low ? most + (most - low) * 0.06 : low + 1];
          },
        },
        yAxis: { values: (_plot, splits) => splits.map(format) },
        hooks: { ready: [ready], setCursor: [plot => point(plot.cursor.idx ?? null)] },
      });
      return new uPlot(
        made,
        [times as number[], ...lines.map(({ values }) => values as (number | null)[])],
        box.current!,
      );
    },
    [shape, times, ...lines.map(({ values }) => values)],
  );
  const shown = lines.filter(({ isHidden }) => !isHidden);
  const at = pointed !== null ? times[pointed] : undefined;
  return (
    <div ref={box} class="plot" role="group" aria-label={label} onPointerLeave={() => point(null)}>
      {plot && <Dots plot={plot} dots={props.dots} place={value => plot.valToPos(value, 'y')} />}
      {plot && at !== undefined && (
        <div
          class={`tip ${plot.valToPos(at, 'x') > width / 2 ? 'to-left' : ''}`}
          style={{ left: `${plot.valToPos(at, 'x') + WIDE}px` }}
        >
          <b>{clock(new Date(at * 1000).toISOString(), { digits: 0 })}</b>
          {[...shown]
            .sort(
              (a, b) =>
                (b.values[pointed!] ?? Number.NEGATIVE_INFINITY) - (a.values[pointed!] ?? Number.NEGATIVE_INFINITY),
            )
            .slice(0, 12)
            .map(({ name, colour, values }) =>
              values[pointed!] === null || values[pointed!] === undefined ? null : (
                <span key={name}>
                  <i class="swatch" style={{ background: colour }} />
                  <span class="cut">{name}</span>
                  <span class="number">{format(values[pointed!]!)}</span>
                </span>
              ),
            )}
        </div>
      )}
    </div>
  );
}

/** Values whose neighbours are gaps. */
function alone(values: ArrayLike<number | null | undefined>, _gaps: unknown): number[] | null {
  const found: number[] = [];
  for (let at = 0; at < values.length; at++) {
    const [before, here, behind] = [values[at - 1] ?? null, values[at] ?? null, values[at + 1] ?? null];
    if (here !== null && before === null && behind === null) found.push(at);
  }
  return found;
}

export function HeatPlot(
  props: Common & {
    readonly heat: Heat;
    readonly edge: (value: number) => string;
    readonly tell: (row: Heat['rows'][number], count: number) => string;
  },
): JSX.Element {
  const { heat, edge, tell, label, step } = props;
  const box = useRef<HTMLDivElement>(null);
  const [pointed, point] = useState<{ readonly x: number; readonly y: number } | undefined>();
  const rows = heat.rows.length;
  const { plot, width } = usePlot(
    box,
    (width, ready) => {
      const paint = (plot: uPlot) => {
        const { ctx } = plot;
        const rgb = colour('--accent');
        ctx.save();
        ctx.beginPath();
        ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
        ctx.clip();
        ctx.fillStyle = rgb;
        heat.rows.forEach((row, at) => {
          const [bottom, top] = [plot.valToPos(at, 'y', true), plot.valToPos(at + 1, 'y', true)];
          row.counts.forEach((count, column) => {
            if (count <= 0) return;
            const end = heat.times[column]!;
            const [left, right] = [plot.valToPos(end - step / 1e9, 'x', true), plot.valToPos(end, 'x', true)];
            ctx.globalAlpha = strength(count, heat.most);
            ctx.fillRect(
              Math.round(left),
              Math.round(top),
              Math.max(1, Math.round(right) - Math.round(left) - 1),
              Math.max(1, Math.round(bottom) - Math.round(top) - 1),
            );
          });
        });
        ctx.restore();
      };
      const every = Math.max(1, Math.ceil((rows + 1) / 9));
      const made = options(width, props, {
        // The scale of y counts buckets: they may be of any width.
        series: [{}, { paths: () => null, points: { show: false } }],
        y: { range: () => [0, Math.max(1, rows)] },
        yAxis: {
          splits: () => Array.from({ length: rows + 1 }, (_, at) => at).filter(at => at % every === 0),
          values: (_plot, splits) => splits.map(at => bound(heat, at, edge)),
        },
        hooks: { ready: [ready], draw: [paint] },
      });
      return new uPlot(made, [heat.times as number[], heat.times.map((_, at) => (at === 0 ? 0 : rows))], box.current!);
    },
    [heat],
  );
  const row = (value: number) => {
    const at = heat.rows.findIndex(({ above, upTo }) => value > above && value <= upTo);
    return at < 0 ? 0 : at + 0.5;
  };
  const over = plot && pointed ? under(plot, heat, step, pointed) : undefined;
  return (
    <div
      ref={box}
      class="plot heat"
      role="group"
      aria-label={label}
      onPointerMove={event => {
        const { left, top } = box.current!.getBoundingClientRect();
        point({ x: event.clientX - left, y: event.clientY - top });
      }}
      onPointerLeave={() => point(undefined)}
    >
      {plot && <Dots plot={plot} dots={props.dots} place={value => plot.valToPos(row(value), 'y')} />}
      {over && pointed && (
        <div
          class={`tip ${pointed.x > width / 2 ? 'to-left' : ''}`}
          style={{ left: `${pointed.x}px`, top: `${Math.max(0, pointed.y - 46)}px` }}
        >
          <b>{clock(new Date(over.time * 1000).toISOString(), { digits: 0 })}</b>
          <span>{tell(over.row, over.count)}</span>
        </div>
      )}
    </div>
  );
}

/** The end of a bucket at a height: the upper one of what is below it. */
function bound({ rows }: Heat, at: number, edge: (value: number) => string): string {
  const value = at === 0 ? rows[0]?.above : rows[at - 1]?.upTo;
  return value === undefined || !Number.isFinite(value) ? '' : edge(value);
}

/** The cell under the pointer. */
function under(
  plot: uPlot,
  heat: Heat,
  step: number,
  { x, y }: { readonly x: number; readonly y: number },
): ReturnType<typeof cellAt> {
  const ratio = devicePixelRatio;
  const [left, top] = [plot.bbox.left / ratio, plot.bbox.top / ratio];
  const [wide, tall] = [plot.bbox.width / ratio, plot.bbox.height / ratio];
  if (x < left || x > left + wide || y < top || y > top + tall) return null;
  const time = plot.posToVal(x - left, 'x');
  const column = heat.times.findIndex(end => time <= end && time > end - step / 1e9);
  if (column < 0) return null;
  return cellAt(heat, (column + 0.5) / heat.times.length, 1 - (y - top) / tall);
}

/** Exemplars: links on the chart, so that the keyboard gets to them too. */
function Dots({
  plot,
  dots,
  place,
}: {
  plot: uPlot;
  dots: readonly Dot[];
  place: (value: number) => number;
}): JSX.Element | null {
  const ratio = devicePixelRatio;
  const [left, top, wide, tall] = [plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height].map(
    size => size / ratio,
  ) as [number, number, number, number];
  const placed = useMemo(
    () =>
      dots.map(dot => {
        const y = dot.value === null ? tall : Math.max(0, Math.min(tall, place(dot.value)));
        return { ...dot, x: plot.valToPos(dot.time / 1000, 'x'), y };
      }),
    [plot, dots],
  );
  return (
    <>
      {placed
        .filter(({ x }) => x >= 0 && x <= wide)
        .map(({ x, y, href, title }, at) => {
          const style = { left: `${left + x}px`, top: `${top + y}px` };
          return href === undefined ? (
            <span key={at} class="exemplar gone" style={style} title={title} />
          ) : (
            <a key={at} class="exemplar" style={style} href={href} title={title} aria-label={title} />
          );
        })}
    </>
  );
}

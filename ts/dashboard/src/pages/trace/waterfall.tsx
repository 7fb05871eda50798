/** The rows of a trace: the tree at the left, the time at the right. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { tint } from '../../parts/colours.js';
import { Icon } from '../../parts/icons.js';
import { List } from '../../parts/list.js';
import { line } from '../../parts/text.js';
import { count, duration } from '../../parts/time.js';
import { type Model, type Segment, ticks } from './model.js';

/** A part of the time of a trace, in nanoseconds from its start. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly isWhole: boolean;
}

const ROW = 26;
/** Levels that are drawn as such; what is below them stands under the last one. */
const DEEPEST = 24;

export function Waterfall({
  model,
  rows,
  base,
  window,
  chosen,
  matches,
  critical,
  isClosed,
  onChoose,
  onFold,
  onFocus,
  onWindow,
}: {
  readonly model: Model;
  readonly rows: Int32Array;
  /** The level of the span that is shown as the root. */
  readonly base: number;
  readonly window: Window;
  readonly chosen: number | undefined;
  readonly matches: ReadonlySet<number> | undefined;
  readonly critical: ReadonlyMap<number, readonly Segment[]> | undefined;
  readonly isClosed: (at: number) => boolean;
  readonly onChoose: (at: number) => void;
  readonly onFold: (at: number) => void;
  readonly onFocus: (at: number) => void;
  readonly onWindow: (from?: number, to?: number) => void;
}): JSX.Element {
  const { bars } = model;
  const row = chosen === undefined ? undefined : rowAt(rows, chosen);
  const box = useRef<HTMLDivElement>(null);
  const [tree, setTree] = useState(() => Math.round(Math.min(420, Math.max(220, innerWidth * 0.28))));
  useEffect(() => box.current?.style.setProperty('--tree', `${tree}px`), [tree]);
  const select = (at: number) => rows[at] !== undefined && onChoose(rows[at]);
  const onKey = (event: KeyboardEvent): boolean => {
    if (row === undefined || row < 0) return false;
    const at = rows[row]!;
    const bar = bars[at]!;
    if (event.key === 'ArrowRight') {
      if (bar.children > 0 && isClosed(at)) onFold(at);
      else if (row + 1 < rows.length) select(row + 1);
    } else if (event.key === 'ArrowLeft') {
      if (bar.children > 0 && !isClosed(at)) onFold(at);
      else if (bar.parent !== null && bar.depth > base) onChoose(bar.parent);
    } else if (event.key === ' ') {
      if (bar.children > 0) onFold(at);
    } else return false;
    event.preventDefault();
    return true;
  };
  if (rows.length === 0) {
    return (
      <div class="state">
        <h2>No span matches</h2>
        <p class="quiet">
          What is looked for is a part of a name or of the value of an attribute. Take a filter away, or find something
          else.
        </p>
      </div>
    );
  }
  return (
    <div ref={box} class="waterfall">
      <div class="list-head waterfall-head">
        <span class="tree-cell">Span</span>
        <div
          class="tree-edge"
          role="separator"
          aria-orientation="vertical"
          aria-label="Width of the tree"
          aria-valuenow={tree}
          tabIndex={0}
          onKeyDown={event => {
            const by = event.key === 'ArrowLeft' ? -24 : event.key === 'ArrowRight' ? 24 : 0;
            if (by !== 0) setTree(Math.max(140, Math.min(innerWidth * 0.6, tree + by)));
          }}
          onPointerDown={event => event.currentTarget.setPointerCapture(event.pointerId)}
          onPointerMove={event => {
            if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
            setTree(
              Math.max(140, Math.min(innerWidth * 0.6, event.clientX - box.current!.getBoundingClientRect().left)),
            );
          }}
        />
        <Axis window={window} onWindow={onWindow} />
      </div>
      <List
        label="Spans"
        role="treegrid"
        count={rows.length}
        height={ROW}
        chosen={row === -1 ? undefined : row}
        onChoose={select}
        onOpen={at => rows[at] !== undefined && onFocus(rows[at])}
        onKey={onKey}
        rowProps={at => {
          const bar = bars[rows[at]!]!;
          const found = matches?.has(rows[at]!);
          return {
            'aria-level': bar.depth - base + 1,
            'aria-expanded': bar.children > 0 ? !isClosed(rows[at]!) : undefined,
            'data-span': bar.id,
            class: `${matches ? (found ? 'found' : 'beside') : ''} ${bar.status === 'error' ? 'failed' : ''}`,
          };
        }}
        row={at => {
          const position = rows[at]!;
          return (
            <Row
              model={model}
              at={position}
              base={base}
              window={window}
              closed={isClosed(position)}
              critical={critical}
              onFold={onFold}
            />
          );
        }}
      />
    </div>
  );
}

/** The row of a position: rows ascend. −1 where it is not shown. */
export function rowAt(rows: Int32Array, position: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (rows[middle]! === position) return middle;
    if (rows[middle]! < position) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function Row({
  model,
  at,
  base,
  window,
  closed,
  critical,
  onFold,
}: {
  model: Model;
  at: number;
  base: number;
  window: Window;
  closed: boolean;
  critical: ReadonlyMap<number, readonly Segment[]> | undefined;
  onFold: (at: number) => void;
}): JSX.Element {
  const bar = model.bars[at]!;
  const span = window.to - window.from;
  const percent = (time: number) => ((time - window.from) / span) * 100;
  const left = percent(bar.start);
  const right = percent(bar.start + bar.duration);
  const seen = right >= 0 && left <= 100;
  const from = Math.max(-0.5, left);
  const width = Math.min(100.5, right) - from;
  // The label stands behind the bar where there is room, before it otherwise, and in it where it fills everything.
  const place = right < 78 ? 'behind' : left > 22 ? 'before' : 'within';
  const below = model.end[at]! - at - 1;
  const segments = critical?.get(at);
  return (
    <>
      <span
        class="tree-cell"
        role="gridcell"
        style={{ paddingLeft: `${Math.min(DEEPEST, bar.depth - base) * 14 + 10}px`, ...tint(bar.service) }}
      >
        {bar.children > 0 ? (
          <button
            type="button"
            class="fold"
            tabIndex={-1}
            aria-label={closed ? 'Open' : 'Close'}
            onClick={() => onFold(at)}
          >
            <Icon name={closed ? 'right' : 'down'} size={12} />
          </button>
        ) : (
          <i class="fold" />
        )}
        <i class="stroke tinted" />
        <span class="cut name" title={`${line(bar.name)}\n${line(bar.service)}`}>
          {line(bar.name)}
        </span>
        {bar.orphan && (
          <span class="tag" title="It names a parent that is not here">
            no parent
          </span>
        )}
        {closed && (
          <span class="tag number" title={`${below} spans below`}>
            +{count(below)}
          </span>
        )}
        {bar.depth - base > DEEPEST && <span class="tag number">level {bar.depth - base + 1}</span>}
        <span class="cut quiet service-of">{line(bar.service)}</span>
      </span>
      <span class="time-cell" role="gridcell">
        {seen && (
          <i
            class={`span-bar tinted ${critical ? (segments ? 'is-critical' : 'is-beside') : ''}`}
            style={{ left: `${from}%`, width: `${Math.max(0, width)}%`, ...tint(bar.service) }}
          />
        )}
        {seen &&
          segments?.map(({ from, to }) => (
            <i
              key={from}
              class="critical"
              style={{
                left: `${Math.max(-0.5, percent(from))}%`,
                width: `${Math.max(0, Math.min(100.5, percent(to)) - Math.max(-0.5, percent(from)))}%`,
              }}
            />
          ))}
        {bar.event_times?.map(
          (time, i) =>
            inside(percent(time)) && (
              <i
                key={`e${i}`}
                class="event"
                title={`event ${i + 1} of ${bar.events}`}
                style={{ left: `${percent(time)}%` }}
              />
            ),
        )}
        {bar.log_times?.map(
          (time, i) =>
            inside(percent(time)) && (
              <i
                key={`l${i}`}
                class="log"
                title={`log record ${i + 1} of ${bar.logs}`}
                style={{ left: `${percent(time)}%` }}
              />
            ),
        )}
        <span
          class={`span-label number ${place} ${bar.status === 'error' ? 'error' : ''}`}
          style={
            !seen
              ? left > 100
                ? { right: '4px' }
                : { left: '4px' }
              : place === 'behind'
                ? { left: `max(${right}%, ${left}% + 3px)` }
                : place === 'before'
                  ? { right: `${100 - left}%` }
                  : { left: `calc(${from}% + 6px)` }
          }
        >
          {!seen && left > 100 ? '→ ' : ''}
          {!seen && right < 0 ? '← ' : ''}
          {bar.status === 'error' && (
            <b class="mark" title="error">
              !
            </b>
          )}
          {duration(bar.duration)}
        </span>
      </span>
    </>
  );
}

const inside = (percent: number) => percent >= 0 && percent <= 100;

/** The time above the bars; dragging over it shows that part alone. */
function Axis({ window, onWindow }: { window: Window; onWindow: (from?: number, to?: number) => void }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const span = window.to - window.from;
  const at = (event: PointerEvent) => {
    const { left, width } = box.current!.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width));
  };
  return (
    <div
      ref={box}
      class="time-axis"
      onPointerDown={event => {
        if ((event.target as Element).closest('button')) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: at(event), to: at(event) });
      }}
      onPointerMove={event => drag && setDrag({ ...drag, to: at(event) })}
      onPointerCancel={() => setDrag(undefined)}
      onPointerUp={() => {
        if (drag && Math.abs(drag.to - drag.from) > 0.005) {
          onWindow(
            window.from + Math.min(drag.from, drag.to) * span,
            window.from + Math.max(drag.from, drag.to) * span,
          );
        }
        setDrag(undefined);
      }}
    >
      {ticks(window.from, window.to - span * 0.05, 6).map(tick => {
        const left = ((tick - window.from) / span) * 100;
        return (
          <span key={tick} class={`tick number ${left > 92 ? 'last' : ''}`} style={{ left: `${left}%` }}>
            {duration(tick)}
          </span>
        );
      })}
      {drag && (
        <i
          class="axis-brush"
          style={{ left: `${Math.min(drag.from, drag.to) * 100}%`, width: `${Math.abs(drag.to - drag.from) * 100}%` }}
        />
      )}
      {!window.isWhole && (
        <button type="button" class="plain whole" onClick={() => onWindow()}>
          All
        </button>
      )}
    </div>
  );
}

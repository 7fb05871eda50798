/** Counts over time as stacked bars; dragging over them chooses a range. */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { between } from '../state/range.js';
import type { Counts } from '../wire.js';
import { clock, count, duration, millis, ofMillis } from './time.js';

/** One kind of bar: the value of its group, what it is called, and the class that colours it. */
export interface Stack {
  readonly group: string | null;
  readonly name: string;
  readonly class: string;
}

/** The bars. `stacks` come from the bottom up; what is of none of them is of the last one. */
export function TimeBars({
  counts,
  stacks,
  label,
  height = 88,
  onRange = between,
}: {
  readonly counts: Counts;
  readonly stacks: readonly Stack[];
  readonly label: string;
  readonly height?: number;
  readonly onRange?: (begin: number, end: number) => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800);
  const [drag, setDrag] = useState<{ from: number; to: number } | undefined>();
  const [pointed, point] = useState<number | undefined>();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(120, Math.floor(entry!.contentRect.width))));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);

  const step = counts.step / 1e6;
  const times = counts.buckets.map(({ time }) => millis(time));
  const { from, to } = counts.searched;
  const begin = Math.floor((from ? millis(from) : Math.min(...times)) / step) * step;
  const end = Math.max(begin + step, to ? millis(to) : 0, ...times.map(time => time + step));
  const slots = Math.min(2_000, Math.max(1, Math.round((end - begin) / step)));
  const sums = Array.from({ length: slots }, () => new Array<number>(stacks.length).fill(0));
  counts.buckets.forEach((bucket, i) => {
    const slot = sums[Math.floor((times[i]! - begin) / step + 1e-6)];
    const stack = stacks.findIndex(({ group }) => group === bucket.group);
    if (slot) slot[stack < 0 ? stacks.length - 1 : stack]! += bucket.count;
  });
  const totals = sums.map(slot => slot.reduce((a, b) => a + b, 0));
  const most = Math.max(1, ...totals);
  const top = 14;
  const plot = height - top - 16;
  const each = width / slots;
  const gap = each > 6 ? 2 : each > 3 ? 1 : 0;
  const at = (event: { clientX: number }) => {
    const { left } = box.current!.getBoundingClientRect();
    return Math.max(0, Math.min(width, event.clientX - left));
  };
  const timeAt = (x: number) => begin + (x / width) * (end - begin);
  const ticks = axis(begin, end, Math.max(2, Math.floor(width / 110)));
  const pointedAt = pointed === undefined ? undefined : Math.min(slots - 1, Math.floor((pointed / width) * slots));

  return (
    <div
      ref={box}
      class="bars"
      style={{ height: `${height}px` }}
      onPointerDown={event => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: at(event), to: at(event) });
      }}
      onPointerMove={event => {
        point(at(event));
        if (drag) setDrag({ ...drag, to: at(event) });
      }}
      onPointerLeave={() => point(undefined)}
      onPointerCancel={() => setDrag(undefined)}
      onPointerUp={() => {
        if (drag && Math.abs(drag.to - drag.from) > 4) {
          const [a, b] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
          onRange(timeAt(a), timeAt(b));
        }
        setDrag(undefined);
      }}
    >
      <svg
        width={width}
        height={height}
        role="img"
        aria-label={`${label}: ${count(counts.total)} in all, at most ${count(most)} in ${duration(counts.step)}`}
      >
        {most > 1 && (
          <text class="axis" x={2} y={10}>
            {count(most)}
          </text>
        )}
        <line class="base" x1={0} x2={width} y1={top + plot + 0.5} y2={top + plot + 0.5} />
        {sums.map((slot, i) => {
          let y = top + plot;
          return slot.map((value, stack) => {
            if (value === 0) return null;
            const tall = Math.max(1, (value / most) * plot);
            y -= tall;
            return (
              <rect
                key={`${i} ${stack}`}
                class={`bar ${stacks[stack]!.class} ${pointedAt === i ? 'pointed' : ''}`}
                x={i * each}
                y={y}
                width={Math.max(1, each - gap)}
                height={tall}
                rx={each > 8 ? 1.5 : 0}
              />
            );
          });
        })}
        {ticks.map(({ time, text }) => (
          <text
            key={time}
            class="axis"
            x={Math.min(width - 4, Math.max(2, ((time - begin) / (end - begin)) * width))}
            y={height - 3}
            text-anchor={
              time - begin < (end - begin) * 0.04 ? 'start' : time > end - (end - begin) * 0.05 ? 'end' : 'middle'
            }
          >
            {text}
          </text>
        ))}
        {drag && (
          <rect
            class="brush"
            x={Math.min(drag.from, drag.to)}
            y={top}
            width={Math.abs(drag.to - drag.from)}
            height={plot}
          />
        )}
      </svg>
      {pointedAt !== undefined && !drag && totals[pointedAt]! > 0 && (
        <div class={`tip ${pointed! > width / 2 ? 'to-left' : ''}`} style={{ left: `${(pointedAt + 0.5) * each}px` }}>
          <b>{clock(new Date(begin + pointedAt * step).toISOString(), { digits: 0 })}</b>
          {stacks.map(({ name, class: style }, i) =>
            sums[pointedAt]![i]! > 0 ? (
              <span key={name}>
                <i class={`swatch ${style}`} />
                {name} {count(sums[pointedAt]![i]!)}
              </span>
            ) : null,
          )}
        </div>
      )}
    </div>
  );
}

const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3,
  7200e3, 10_800e3, 21_600e3, 43_200e3, 86_400e3, 172_800e3, 604_800e3,
];

/** Round times between two, about `most` of them, as an axis has them. */
export function axis(begin: number, end: number, most: number): { readonly time: number; readonly text: string }[] {
  const step =
    STEPS.find(step => (end - begin) / step <= most) ?? Math.ceil((end - begin) / most / 604_800e3) * 604_800e3;
  // Round in the time zone of the browser.
  const zone = new Date(begin).getTimezoneOffset() * 60_000;
  const ticks = [];
  for (let time = Math.ceil((begin - zone) / step) * step + zone; time <= end && ticks.length < 100; time += step) {
    const date = new Date(time);
    const two = (n: number) => String(n).padStart(2, '0');
    const hours = `${two(date.getHours())}:${two(date.getMinutes())}`;
    const seconds = step < 60e3 ? `:${two(date.getSeconds())}` : '';
    const fraction = step < 1000 ? `.${String(date.getMilliseconds()).padStart(3, '0')}` : '';
    const days = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    ticks.push({
      time,
      text: step >= 86_400e3 ? days : end - begin > 86_400e3 ? `${days} ${hours}` : hours + seconds + fraction,
    });
  }
  return ticks;
}

/** The step that makes about `most` bars of a range, as the API takes it; undefined where it may choose. */
export function stepFor(begin: number | undefined, end: number | undefined, most = 60): string | undefined {
  if (begin === undefined || end === undefined || end <= begin) return undefined;
  const step =
    STEPS.find(step => (end - begin) / step <= most) ?? Math.ceil((end - begin) / most / 86_400e3) * 86_400e3;
  return `${ofMillis(step)}ns`;
}

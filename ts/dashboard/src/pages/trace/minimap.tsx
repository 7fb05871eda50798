/** The whole trace at one look; dragging over it shows that part of the time alone. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { paint } from '../../parts/colours.js';
import { duration } from '../../parts/time.js';
import { colour, theme } from '../../state/theme.js';
import type { Model } from './model.js';
import type { Window } from './waterfall.js';

const HEIGHT = 56;

export function Minimap({
  model,
  rows,
  window,
  matches,
  onWindow,
}: {
  readonly model: Model;
  readonly rows: Int32Array;
  readonly window: Window;
  readonly matches: ReadonlySet<number> | undefined;
  readonly onWindow: (from?: number, to?: number) => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(800);
  const [drag, setDrag] = useState<{ from: number; to: number; moves: boolean }>();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(100, Math.floor(entry!.contentRect.width))));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const whole = Math.max(1, model.duration);
  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio || 1;
    element.width = width * ratio;
    element.height = HEIGHT * ratio;
    const draw = element.getContext('2d')!;
    draw.scale(ratio, ratio);
    const each = HEIGHT / Math.max(rows.length, 14);
    const tall = Math.max(1, Math.min(5, each - (each > 3 ? 1 : 0)));
    // Strokes of one colour together, errors last; a pixel that is full is not drawn again.
    const strokes = new Map<string, number[]>();
    const full = new Set<number>();
    const error = colour('--error');
    for (let row = 0; row < rows.length; row += 1) {
      const bar = model.bars[rows[row]!]!;
      const x = (bar.start / whole) * width;
      const y = row * each;
      const wide = Math.max(1, (bar.duration / whole) * width);
      const failed = bar.status === 'error';
      const key = Math.floor(y) * 65_536 * 4 + Math.floor(x) * 4 + (wide > 2 ? 1 : 0) + (failed ? 2 : 0);
      if (each < 1 && wide < 3) {
        if (full.has(key)) continue;
        full.add(key);
      }
      const dim = matches && !matches.has(rows[row]!);
      const paintOf = dim ? colour('--line-strong') : failed ? error : paint(bar.service, theme.value);
      const list = strokes.get(paintOf) ?? [];
      list.push(x, y, wide);
      strokes.set(paintOf, list);
    }
    for (const [style, list] of [...strokes].sort(([a]) => (a === error ? 1 : -1))) {
      draw.fillStyle = style;
      for (let i = 0; i < list.length; i += 3) draw.fillRect(list[i]!, list[i + 1]!, list[i + 2]!, tall);
    }
  }, [model, rows, width, matches, theme.value]);
  const at = (event: PointerEvent) => {
    const { left, width } = box.current!.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width)) * whole;
  };
  const shown =
    drag && !drag.moves
      ? { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) }
      : drag
        ? { from: window.from + drag.to - drag.from, to: window.to + drag.to - drag.from }
        : window;
  const left = Math.max(0, (shown.from / whole) * 100);
  const right = Math.max(0, 100 - (shown.to / whole) * 100);
  const step = (window.to - window.from) / 10;
  return (
    <div
      ref={box}
      class="minimap"
      role="slider"
      aria-label="Part of the time that is shown: arrows move it, plus and minus change how long it is"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round((window.from / whole) * 100)}
      aria-valuetext={`${duration(window.from)} to ${duration(window.to)}`}
      tabIndex={0}
      onKeyDown={event => {
        const { from, to } = window;
        const within = (from: number, to: number) => onWindow(Math.max(0, from), Math.min(whole, to));
        if (event.key === 'ArrowLeft' && from > 0) within(from - Math.min(step, from), to - Math.min(step, from));
        else if (event.key === 'ArrowRight' && to < whole)
          within(from + Math.min(step, whole - to), to + Math.min(step, whole - to));
        else if (event.key === '+' || event.key === '=') within(from + step, to - step);
        else if (event.key === '-') within(from - step, to + step);
        else if (event.key === '0') onWindow();
        else return;
        event.preventDefault();
      }}
      onPointerDown={event => {
        event.currentTarget.setPointerCapture(event.pointerId);
        const time = at(event);
        // What is in the window moves it; beside it a new one begins.
        setDrag({
          from: time,
          to: time,
          moves: !window.isWhole && time > window.from && time < window.to && event.shiftKey,
        });
      }}
      onPointerMove={event => drag && setDrag({ ...drag, to: at(event) })}
      onPointerCancel={() => setDrag(undefined)}
      onPointerUp={() => {
        if (drag?.moves) onWindow(window.from + drag.to - drag.from, window.to + drag.to - drag.from);
        else if (drag && Math.abs(drag.to - drag.from) > whole * 0.004)
          onWindow(Math.min(drag.from, drag.to), Math.max(drag.from, drag.to));
        setDrag(undefined);
      }}
      onDblClick={() => onWindow()}
      title="Drag to show a part of the time; double click to show all"
    >
      <canvas ref={canvas} style={{ width: `${width}px`, height: `${HEIGHT}px` }} aria-hidden="true" />
      <i class="minimap-veil" style={{ left: 0, width: `${left}%` }} />
      <i class="minimap-veil" style={{ right: 0, width: `${right}%` }} />
      {!(window.isWhole && !drag) && <i class="minimap-window" style={{ left: `${left}%`, right: `${right}%` }} />}
    </div>
  );
}

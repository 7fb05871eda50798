/** Each trace as a dot: when it began, how long it took, whether it has errors. A box around some chooses their time and duration. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { axis } from '../../parts/bars.js';
import { line } from '../../parts/text.js';
import { duration, millis, ofMillis } from '../../parts/time.js';
import { colour, theme } from '../../state/theme.js';
import { set } from '../../state/url.js';
import type { TraceSummary } from '../../wire.js';

const HEIGHT = 150;
const LEFT = 52;
const FOOT = 18;
const TOP = 8;

export function Scatter({
  traces,
  begin: first,
  end: last,
  onPoint,
}: {
  readonly traces: readonly TraceSummary[];
  readonly begin: number | undefined;
  readonly end: number | undefined;
  readonly onPoint: (trace: TraceSummary) => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(800);
  const [drag, setDrag] = useState<{ x: number; y: number; toX: number; toY: number }>();
  const [near, setNear] = useState<{ x: number; y: number; trace: TraceSummary }>();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.floor(entry!.contentRect.width))));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);

  const dots = traces.map(trace => ({ trace, time: millis(trace.start_time), took: Math.max(1, trace.duration) }));
  const times = dots.map(({ time }) => time);
  // The range that was asked for, where dots fill it; what they fill otherwise.
  const least = Math.min(...times);
  const begin = first !== undefined && (least - first) / Math.max(1, (last ?? least) - first) < 0.3 ? first : least - 1;
  const end = Math.max(begin + 1, ...times, last !== undefined && begin === first ? last : 0);
  const tooks = dots.map(({ took }) => took);
  const low = Math.log10(Math.min(...tooks, 1e9)) - 0.15;
  const high = Math.max(low + 0.5, Math.log10(Math.max(...tooks, 1)) + 0.15);
  const plot = { width: width - LEFT - 8, height: HEIGHT - FOOT - TOP };
  const x = (time: number) => LEFT + ((time - begin) / (end - begin)) * plot.width;
  const y = (took: number) => TOP + plot.height - ((Math.log10(took) - low) / (high - low)) * plot.height;
  const timeAt = (x: number) => begin + ((x - LEFT) / plot.width) * (end - begin);
  const tookAt = (y: number) => 10 ** (low + ((TOP + plot.height - y) / plot.height) * (high - low));

  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio || 1;
    element.width = width * ratio;
    element.height = HEIGHT * ratio;
    const draw = element.getContext('2d')!;
    draw.scale(ratio, ratio);
    draw.clearRect(0, 0, width, HEIGHT);
    draw.font = '10.5px system-ui, sans-serif';
    draw.lineWidth = 1;
    for (let power = Math.ceil(low); power <= high; power += 1) {
      const at = Math.round(y(10 ** power)) + 0.5;
      draw.strokeStyle = colour('--line');
      draw.beginPath();
      draw.moveTo(LEFT, at);
      draw.lineTo(width - 8, at);
      draw.stroke();
      draw.fillStyle = colour('--quiet');
      draw.textAlign = 'right';
      draw.fillText(duration(10 ** power), LEFT - 7, at + 3.5);
    }
    draw.textAlign = 'center';
    for (const { time, text } of axis(begin, end, Math.max(2, Math.floor(plot.width / 110)))) {
      draw.fillText(text, Math.min(width - 24, Math.max(LEFT + 12, x(time))), HEIGHT - 4);
    }
    // Errors are drawn last, so that nothing covers them.
    for (const failed of [false, true]) {
      draw.fillStyle = colour(failed ? '--error' : '--bar-strong');
      draw.globalAlpha = 0.75;
      for (const { trace, time, took } of dots) {
        if (trace.errors > 0 !== failed) continue;
        draw.beginPath();
        draw.arc(x(time), y(took), 3.2, 0, 7);
        draw.fill();
      }
    }
    draw.globalAlpha = 1;
  }, [traces, width, begin, end, low, high, theme.value]);

  const at = (event: PointerEvent) => {
    const { left, top } = box.current!.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const nearest = (point: { x: number; y: number }) => {
    let best: { trace: TraceSummary; x: number; y: number; away: number } | undefined;
    for (const { trace, time, took } of dots) {
      const away = Math.hypot(x(time) - point.x, y(took) - point.y);
      if (away < 12 && away < (best?.away ?? 99)) best = { trace, x: x(time), y: y(took), away };
    }
    return best;
  };
  return (
    <div
      ref={box}
      class="scatter"
      style={{ height: `${HEIGHT}px` }}
      onPointerDown={event => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const point = at(event);
        setDrag({ ...point, toX: point.x, toY: point.y });
      }}
      onPointerMove={event => {
        const point = at(event);
        if (drag) setDrag({ ...drag, toX: point.x, toY: point.y });
        setNear(drag ? undefined : nearest(point));
      }}
      onPointerLeave={() => setNear(undefined)}
      onPointerCancel={() => setDrag(undefined)}
      onPointerUp={event => {
        const point = at(event);
        if (drag && Math.hypot(drag.toX - drag.x, drag.toY - drag.y) > 5) {
          const [a, b] = [Math.min(drag.x, drag.toX), Math.max(drag.x, drag.toX)];
          const [c, d] = [Math.min(drag.y, drag.toY), Math.max(drag.y, drag.toY)];
          set({
            from: ofMillis(timeAt(a)),
            to: ofMillis(timeAt(b)),
            min_duration: `${Math.round(tookAt(d))}ns`,
            max_duration: `${Math.round(tookAt(c))}ns`,
          });
        } else {
          const found = nearest(point);
          if (found) onPoint(found.trace);
        }
        setDrag(undefined);
      }}
    >
      <canvas
        ref={canvas}
        style={{ width: `${width}px`, height: `${HEIGHT}px` }}
        role="img"
        aria-label={`Durations of ${dots.length} traces over time, from ${duration(Math.min(...tooks))} to ${duration(Math.max(...tooks))}`}
      />
      {drag && (
        <div
          class="brush-box"
          style={{
            left: `${Math.min(drag.x, drag.toX)}px`,
            top: `${Math.min(drag.y, drag.toY)}px`,
            width: `${Math.abs(drag.toX - drag.x)}px`,
            height: `${Math.abs(drag.toY - drag.y)}px`,
          }}
        />
      )}
      {near && (
        <div class={`tip ${near.x > width / 2 ? 'to-left' : ''}`} style={{ left: `${near.x}px` }}>
          <b>
            {line(near.trace.root_service)} {line(near.trace.root_name)}
          </b>
          <span>
            {duration(near.trace.duration)}, {near.trace.spans} spans
            {near.trace.errors > 0 ? `, ${near.trace.errors} errors` : ''}
          </span>
        </div>
      )}
    </div>
  );
}

/** Where the time went: operations below operations, as wide as the time that was spent in them; and the same as a table. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { paint } from '../../parts/colours.js';
import { ServiceName } from '../../parts/service.js';
import { line } from '../../parts/text.js';
import { count, duration, percent } from '../../parts/time.js';
import { colour, theme } from '../../state/theme.js';
import { type Flame, flames, type Model, operations } from './model.js';

const ROW = 20;

export function FlameGraph({
  model,
  root,
  onFocus,
  onChoose,
}: {
  readonly model: Model;
  readonly root: number | undefined;
  readonly onFocus: (at: number | undefined) => void;
  readonly onChoose: (at: number) => void;
}): JSX.Element {
  const from = root ?? 0;
  const to = root === undefined ? model.bars.length : model.end[root]!;
  const boxes = useMemo(() => flames(model, from, to), [model, from, to]);
  const list = useMemo(() => operations(model, from, to), [model, from, to]);
  const whole = list.reduce((sum, { self }) => sum + self, 0) || 1;
  return (
    <div class="flame-page">
      <FlameCanvas boxes={boxes} onFocus={onFocus} onChoose={onChoose} />
      <div class="table-box">
        <table class="table">
          <thead>
            <tr>
              <th>Operation</th>
              <th>Service</th>
              <th class="number" title="In these spans and in nothing below them">
                Self time
              </th>
              <th class="number">Share</th>
              <th class="number" title="With everything below them">
                Total
              </th>
              <th class="number">Spans</th>
              <th class="number">Errors</th>
            </tr>
          </thead>
          <tbody>
            {list.slice(0, 100).map(({ service, name, self, total, count: spans, errors, longest }) => (
              <tr key={`${service} ${name}`}>
                <td>
                  <button
                    type="button"
                    class="plain"
                    title="Choose the one that took longest"
                    onClick={() => onChoose(longest)}
                  >
                    {line(name)}
                  </button>
                </td>
                <td>
                  <ServiceName name={service} />
                </td>
                <td class="number">{duration(self)}</td>
                <td class="number">{percent(self / whole)}</td>
                <td class="number">{duration(total)}</td>
                <td class="number">{count(spans)}</td>
                <td class={`number ${errors > 0 ? 'error' : 'quiet'}`}>{errors > 0 ? count(errors) : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function FlameCanvas({
  boxes,
  onFocus,
  onChoose,
}: {
  boxes: readonly Flame[];
  onFocus: (at: number) => void;
  onChoose: (at: number) => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(800);
  const [near, setNear] = useState<{ flame: Flame; x: number; y: number }>();
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.floor(entry!.contentRect.width))));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const deepest = boxes.reduce((most, { depth }) => Math.max(most, depth), 0);
  const height = Math.min(60, deepest + 1) * ROW + 2;
  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio || 1;
    element.width = width * ratio;
    element.height = height * ratio;
    const draw = element.getContext('2d')!;
    draw.scale(ratio, ratio);
    draw.font = '11px system-ui, sans-serif';
    draw.textBaseline = 'middle';
    const dark = theme.value === 'dark';
    for (const flame of boxes) {
      const wide = flame.width * width;
      if (wide < 0.4) continue;
      const [x, y] = [flame.x * width, flame.depth * ROW];
      draw.fillStyle = paint(flame.service, theme.value);
      draw.globalAlpha = near?.flame === flame ? 1 : 0.82;
      draw.fillRect(x, y, Math.max(0.5, wide - 1), ROW - 1);
      draw.globalAlpha = 1;
      if (flame.errors > 0) {
        draw.fillStyle = colour('--error');
        draw.fillRect(x, y + ROW - 4, Math.max(0.5, wide - 1), 3);
      }
      if (wide > 40) {
        draw.save();
        draw.beginPath();
        draw.rect(x, y, wide - 5, ROW);
        draw.clip();
        draw.fillStyle = dark ? '#0c0e12' : '#ffffff';
        draw.fillText(line(flame.name), x + 5, y + ROW / 2 - 0.5);
        draw.restore();
      }
    }
  }, [boxes, width, height, near?.flame, theme.value]);
  const at = (event: MouseEvent) => {
    const { left, top } = box.current!.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const depth = Math.floor(y / ROW);
    const flame = boxes.find(
      flame => flame.depth === depth && x >= flame.x * width && x < (flame.x + flame.width) * width,
    );
    return flame && { flame, x, y };
  };
  return (
    <div
      ref={box}
      class="flame"
      style={{ height: `${height}px` }}
      onPointerMove={event => setNear(at(event))}
      onPointerLeave={() => setNear(undefined)}
      onClick={event => {
        const found = at(event);
        if (found) onChoose(found.flame.first);
      }}
      onDblClick={event => {
        const found = at(event);
        if (found) onFocus(found.flame.first);
      }}
    >
      <canvas
        ref={canvas}
        style={{ width: `${width}px`, height: `${height}px` }}
        role="img"
        aria-label="Flame graph; the table below has the same numbers"
      />
      {near && (
        <div
          class={`tip ${near.x > width / 2 ? 'to-left' : ''}`}
          style={{ left: `${near.x}px`, top: `${near.y + 14}px` }}
        >
          <b>{line(near.flame.name)}</b>
          <span>{line(near.flame.service)}</span>
          <span>
            {duration(near.flame.total)} in all, {duration(near.flame.self)} in itself, {count(near.flame.count)} spans
            {near.flame.errors > 0 ? `, ${near.flame.errors} errors` : ''}
          </span>
        </div>
      )}
    </div>
  );
}

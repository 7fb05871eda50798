/**
 * A list whose rows differ in height: what is in sight is in the document, and how tall it turned out is remembered. Lists whose rows have
 * one height are `list.tsx`.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface RowsProps<T extends object> {
  readonly items: readonly T[];
  /** Pixels of a row before it was seen. */
  readonly guess: number;
  readonly row: (item: T, at: number) => ComponentChildren;
  readonly label: string;
  readonly chosen?: number | undefined;
  readonly onChoose: (at: number) => void;
  readonly onSight?: (first: number, last: number) => void;
  readonly onTop?: (isTop: boolean) => void;
  /** With another number the list is scrolled to its top. */
  readonly top?: number;
  /** With another value nothing that was measured holds. */
  readonly measure: string;
  readonly class?: string;
  readonly rowClass?: (item: T) => string;
}

/** Rows that are drawn above and below those in sight. */
const MORE = 6;

/** Where each row begins, and where the last one ends. */
export function begins(heights: readonly number[]): Float64Array {
  const all = new Float64Array(heights.length + 1);
  for (let at = 0; at < heights.length; at++) all[at + 1] = all[at]! + heights[at]!;
  return all;
}

/** The row at this height. */
export function rowAt(tops: Float64Array, y: number): number {
  let [low, high] = [0, Math.max(0, tops.length - 2)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle]! <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

export function Rows<T extends object>(props: RowsProps<T>): JSX.Element {
  const { items, guess, row, label, chosen, onChoose, measure } = props;
  const box = useRef<HTMLDivElement>(null);
  const known = useRef({ measure, heights: new WeakMap<T, number>() });
  if (known.current.measure !== measure) known.current = { measure, heights: new WeakMap() };
  const { heights } = known.current;
  const [seen, see] = useState({ top: 0, size: 600 });
  const [, draw] = useState(0);
  const tops = begins(items.map(item => heights.get(item) ?? guess));
  const [first, last] = [
    Math.max(0, rowAt(tops, seen.top) - MORE),
    Math.min(items.length, rowAt(tops, seen.top + seen.size) + MORE + 1),
  ];

  useLayoutEffect(() => {
    const element = box.current!;
    const observer = new ResizeObserver(() => {
      // Another width breaks lines elsewhere.
      known.current = { measure, heights: new WeakMap() };
      see(old => ({ ...old, size: element.clientHeight }));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [measure]);
  useLayoutEffect(() => {
    const element = box.current!;
    let [moved, changed] = [0, false];
    for (const child of element.querySelectorAll<HTMLElement>('[data-row]')) {
      const at = Number(child.dataset.row);
      const item = items[at];
      if (!item) continue;
      const before = heights.get(item) ?? guess;
      const now = child.offsetHeight;
      if (now === 0 || now === before) continue;
      heights.set(item, now);
      changed = true;
      // What is above the sight must not move what is in it.
      if (tops[at + 1]! <= element.scrollTop) moved += now - before;
    }
    if (moved !== 0) element.scrollTop += moved;
    if (changed) draw(n => n + 1);
  });
  useLayoutEffect(
    () => props.onSight?.(rowAt(tops, seen.top), rowAt(tops, seen.top + seen.size)),
    [seen.top, seen.size, items.length],
  );
  useLayoutEffect(() => props.onTop?.(seen.top < 4), [seen.top < 4]);
  useLayoutEffect(() => {
    if (props.top) box.current!.scrollTop = 0;
  }, [props.top]);
  useLayoutEffect(() => {
    const element = box.current!;
    if (chosen === undefined || chosen < 0 || chosen >= items.length) return;
    const [begin, end] = [tops[chosen]!, tops[chosen + 1]!];
    if (begin < element.scrollTop) element.scrollTop = begin;
    else if (end > element.scrollTop + element.clientHeight)
      element.scrollTop = Math.min(begin, end - element.clientHeight);
  }, [chosen]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const from = chosen ?? -1;
    const page = Math.max(1, last - first - 2 * MORE - 1);
    const moves: { readonly [key: string]: number } = {
      ArrowDown: from + 1,
      j: from + 1,
      ArrowUp: from - 1,
      k: from - 1,
      PageDown: from + page,
      PageUp: from - page,
      Home: 0,
      End: items.length - 1,
    };
    const to = moves[event.key];
    if (to === undefined || items.length === 0) return;
    event.preventDefault();
    onChoose(Math.max(0, Math.min(items.length - 1, to)));
  };
  const idOf = (at: number) => `${label}-${at}`.replaceAll(' ', '-');
  return (
    <div
      ref={box}
      class={`list ${props.class ?? ''}`}
      role="grid"
      aria-label={label}
      aria-rowcount={items.length}
      aria-colcount={1}
      aria-activedescendant={chosen !== undefined && chosen >= first && chosen < last ? idOf(chosen) : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={event => {
        const top = event.currentTarget.scrollTop;
        see(old => ({ ...old, top }));
      }}
    >
      <div class="list-space" role="presentation" style={{ height: `${tops[items.length]}px` }}>
        {items.slice(first, last).map((item, i) => {
          const at = first + i;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys
            <div
              key={at}
              id={idOf(at)}
              data-row={at}
              role="row"
              tabIndex={-1}
              aria-selected={at === chosen}
              aria-rowindex={at + 1}
              class={`row ${props.rowClass?.(item) ?? ''}`}
              style={{ top: `${tops[at]}px` }}
              onClick={event => {
                if (!(event.target as Element).closest('a, button, input')) onChoose(at);
              }}
            >
              {/* One cell, for there are links in it, which an option of a list may not have. */}
              <div class="cell" role="gridcell">
                {row(item, at)}
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}

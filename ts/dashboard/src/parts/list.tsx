/** A list of any length: only the rows that are in sight are in the document. All rows have one height. */
import type { ComponentChildren, HTMLAttributes, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** What a list is made of. */
export interface ListProps {
  readonly count: number;
  /** Pixels of a row. */
  readonly height: number;
  readonly row: (at: number) => ComponentChildren;
  /** What the list is called, to who does not see it. */
  readonly label: string;
  /** The row that is chosen; the keyboard moves it. */
  readonly chosen?: number | undefined;
  readonly onChoose?: (at: number) => void;
  /** Enter, or a double click, on a row. */
  readonly onOpen?: (at: number) => void;
  readonly role?: 'listbox' | 'treegrid' | 'grid' | 'list';
  /** Attributes of the element around a row. */
  readonly rowProps?: (
    at: number,
  ) => HTMLAttributes<HTMLDivElement> & { [data: `data-${string}`]: string | number | undefined };
  /** More keys; true where one was taken. */
  readonly onKey?: (event: KeyboardEvent) => boolean;
  readonly class?: string;
  /** Called with the first and the last row in sight. */
  readonly onSight?: (first: number, last: number) => void;
  /** Told whether the list is at its top. */
  readonly onTop?: (isTop: boolean) => void;
  readonly children?: ComponentChildren;
}

/** Rows that are drawn above and below those in sight. */
const MORE = 8;
/** Browsers do not draw elements much taller. */
const TALLEST = 8_000_000;

export function List(props: ListProps): JSX.Element {
  const { count, height, row, chosen, onChoose, onOpen, role = 'listbox', rowProps } = props;
  const box = useRef<HTMLDivElement>(null);
  const [seen, see] = useState({ top: 0, size: 600 });
  const whole = count * height;
  // Beyond the tallest, a pixel of the scroll bar stands for several of the list.
  const scale = whole > TALLEST ? (whole - seen.size) / (TALLEST - seen.size) : 1;
  const top = seen.top * scale;
  const first = Math.max(0, Math.floor(top / height) - MORE);
  const last = Math.min(count, Math.ceil((top + seen.size) / height) + MORE);

  useLayoutEffect(() => {
    const element = box.current!;
    const look = () => see(old => (old.size === element.clientHeight ? old : { ...old, size: element.clientHeight }));
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);
  useEffect(
    () => props.onSight?.(Math.floor(top / height), Math.min(count, Math.ceil((top + seen.size) / height)) - 1),
    [top, seen.size, count],
  );
  useEffect(() => props.onTop?.(seen.top < 4), [seen.top < 4]);
  // What is chosen stays in sight.
  useLayoutEffect(() => {
    const element = box.current!;
    if (chosen === undefined || chosen < 0) return;
    const [begin, end] = [chosen * height, (chosen + 1) * height];
    const at = element.scrollTop * scale;
    if (begin < at) element.scrollTop = begin / scale;
    else if (end > at + element.clientHeight) element.scrollTop = (end - element.clientHeight) / scale;
  }, [chosen]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || props.onKey?.(event)) return;
    const page = Math.max(1, Math.floor(seen.size / height) - 1);
    const from = chosen ?? -1;
    const moves: { readonly [key: string]: number } = {
      ArrowDown: from + 1,
      j: from + 1,
      ArrowUp: from - 1,
      k: from - 1,
      PageDown: from + page,
      PageUp: from - page,
      Home: 0,
      End: count - 1,
    };
    const to = moves[event.key];
    if (to !== undefined && onChoose) {
      event.preventDefault();
      onChoose(Math.max(0, Math.min(count - 1, to)));
    } else if (event.key === 'Enter' && chosen !== undefined && onOpen) {
      event.preventDefault();
      onOpen(chosen);
    }
  };
  const isTree = role === 'treegrid';
  const rowRole = role === 'listbox' ? 'option' : role === 'list' ? 'listitem' : 'row';
  const rows = [];
  for (let at = first; at < last; at += 1) {
    const given = rowProps?.(at) ?? {};
    rows.push(
      <div
        key={at}
        id={`${props.label}-${at}`.replaceAll(' ', '-')}
        role={rowRole}
        aria-selected={rowRole === 'listitem' ? undefined : at === chosen}
        aria-rowindex={isTree || role === 'grid' ? at + 1 : undefined}
        {...(role === 'listbox' || role === 'list' ? { 'aria-setsize': count, 'aria-posinset': at + 1 } : {})}
        {...given}
        class={`row ${given.class ?? ''}`}
        style={{ height: `${height}px`, top: `${at * height - top + seen.top}px` }}
        onClick={event => {
          if ((event.target as Element).closest('a, button, input')) return;
          onChoose?.(at);
        }}
        onDblClick={() => onOpen?.(at)}
      >
        {row(at)}
      </div>,
    );
  }
  return (
    <div
      ref={box}
      class={`list ${props.class ?? ''}`}
      role={role}
      aria-label={props.label}
      aria-rowcount={isTree || role === 'grid' ? count : undefined}
      aria-activedescendant={
        chosen !== undefined && chosen >= first && chosen < last
          ? `${props.label}-${chosen}`.replaceAll(' ', '-')
          : undefined
      }
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={event => {
        const top = event.currentTarget.scrollTop;
        see(old => ({ ...old, top }));
      }}
    >
      <div class="list-space" role="presentation" style={{ height: `${Math.min(whole, TALLEST)}px` }}>
        {rows}
      </div>
      {props.children}
    </div>
  );
}

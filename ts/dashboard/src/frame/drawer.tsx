/** What is chosen in a list, at its right: it takes its own room and never covers the list. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../parts/icons.js';
import { useKeys } from '../state/keys.js';

const KEY = 'otlp-arrow drawer';
const usual = () => Math.min(440, Math.round(innerWidth * 0.36));

/** The drawer. Escape closes it; its left edge is dragged, or moved by the arrow keys. */
export function Drawer({
  title,
  onClose,
  actions,
  children,
}: {
  readonly title: ComponentChildren;
  readonly onClose: () => void;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  const box = useRef<HTMLElement>(null);
  useKeys('Details', [{ key: 'Escape', text: 'Close the details', act: onClose }]);
  const size = (width: number) => {
    const fitting = Math.max(280, Math.min(innerWidth * 0.6, width));
    box.current?.style.setProperty('--drawer', `${fitting}px`);
    try {
      sessionStorage.setItem(KEY, String(fitting));
    } catch {
      // It has its usual size the next time.
    }
  };
  useEffect(() => {
    let kept: string | null = null;
    try {
      kept = sessionStorage.getItem(KEY);
    } catch {
      // As above.
    }
    size(Number(kept) || usual());
  }, []);
  return (
    <aside ref={box} class="drawer" aria-label="Details">
      <div
        class="drawer-edge"
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the details"
        aria-valuenow={usual()}
        tabIndex={0}
        onKeyDown={event => {
          const by = event.key === 'ArrowLeft' ? 24 : event.key === 'ArrowRight' ? -24 : 0;
          if (by !== 0) size((box.current?.offsetWidth ?? usual()) + by);
        }}
        onPointerDown={event => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={event => {
          if (event.currentTarget.hasPointerCapture(event.pointerId))
            size((box.current?.getBoundingClientRect().right ?? innerWidth) - event.clientX);
        }}
      />
      <header class="drawer-head">
        <h2>{title}</h2>
        <span class="drawer-actions">
          {actions}
          <button
            type="button"
            class="icon-button"
            aria-label="Close the details"
            title="Close (Esc)"
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        </span>
      </header>
      <div class="drawer-body">{children}</div>
    </aside>
  );
}

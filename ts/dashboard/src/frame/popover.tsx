/** A button that opens something below it: closed by Escape, by a click elsewhere, and when the focus leaves. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../parts/icons.js';

export function Popover({
  class: name,
  open,
  onOpen,
  label,
  button,
  children,
}: {
  readonly class: string;
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly label: string;
  readonly button: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) onOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
    };
  }, [open]);
  return (
    <div
      ref={box}
      class={`popover ${name}`}
      onKeyDown={event => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        event.preventDefault();
        onOpen(false);
        box.current?.querySelector('button')?.focus();
      }}
    >
      <button
        type="button"
        class="opener"
        aria-haspopup="dialog"
        aria-expanded={open}
        title={label}
        onClick={() => onOpen(!open)}
      >
        <span class="cut">{button}</span>
        <Icon name="down" size={12} />
      </button>
      {open && (
        <div class="popover-body" role="dialog" aria-label={label}>
          {children}
        </div>
      )}
    </div>
  );
}

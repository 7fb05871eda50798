/** Copies a text, and says that it did. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.js';

export function Copy({
  text,
  label,
  icon = 'copy',
  children,
  class: name = 'icon-button',
}: {
  /** The text, or what makes it. */
  readonly text: string | (() => string | Promise<string>);
  readonly label: string;
  readonly icon?: IconName;
  readonly children?: ComponentChildren;
  readonly class?: string;
}): JSX.Element {
  const [told, tell] = useState<'' | 'copied' | 'failed'>('');
  useEffect(() => {
    if (told === '') return;
    const timer = setTimeout(() => tell(''), 1_500);
    return () => clearTimeout(timer);
  }, [told]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : await text());
      tell('copied');
    } catch {
      tell('failed');
    }
  };
  const title = told === '' ? label : told === 'copied' ? 'Copied' : 'The browser does not let pages copy';
  return (
    <button type="button" class={name} title={title} aria-label={title} onClick={copy}>
      <Icon name={told === 'copied' ? 'check' : told === 'failed' ? 'close' : icon} size={14} />
      {children}
    </button>
  );
}

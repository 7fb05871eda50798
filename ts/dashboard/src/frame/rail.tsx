/** The pages, at the left. */
import type { JSX } from 'preact';
import { PAGES } from '../pages/list.js';
import { Icon } from '../parts/icons.js';
import { href, page } from '../state/url.js';

export function Rail(): JSX.Element {
  const current = PAGES.find(({ name }) => name === page.value);
  const marked = current?.under ?? current?.name;
  return (
    <nav class="rail" aria-label="Pages">
      {PAGES.filter(({ key }) => key !== undefined).map(({ name, title, icon, key }) => (
        <a
          key={name}
          href={href(name)}
          aria-current={name === marked ? 'page' : undefined}
          title={`${title} (g ${key})`}
        >
          <Icon name={icon} size={18} />
          <span>{title}</span>
        </a>
      ))}
    </nav>
  );
}

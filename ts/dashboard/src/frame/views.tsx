/** The star in the bar: keeps the page as it is under a name, and leads back to what was kept. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { PAGES } from '../pages/list.js';
import { Copy } from '../parts/copy.js';
import { Icon } from '../parts/icons.js';
import { line } from '../parts/text.js';
import { useKeys } from '../state/keys.js';
import { here, page, words } from '../state/url.js';
import { keep, views, withView } from '../state/views.js';
import { Popover } from './popover.js';

export function Views(): JSX.Element {
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState(false);
  useKeys('Views', [{ key: 'V', text: 'Views that are kept', act: () => setOpen(true) }]);
  const url = here({});
  const title = PAGES.find(({ name }) => name === page.value)?.title ?? 'View';
  const filters = [...words.value]
    .filter(([name]) => !['from', 'to', 'live'].includes(name))
    .flatMap(([, values]) => values);
  const usual = [title, ...filters].join(' ').slice(0, 60);
  return (
    <Popover class="views" open={open} onOpen={setOpen} label="Views that are kept" button={<Icon name="star" />}>
      <form
        class="keep-view"
        onSubmit={event => {
          event.preventDefault();
          const name = String(new FormData(event.currentTarget).get('name')).trim() || usual;
          setProblem(!keep(withView(views.value, { name, url })));
        }}
      >
        <input
          key={url}
          name="name"
          class="input"
          defaultValue={usual}
          aria-label="Name of this view"
          autocomplete="off"
          ref={element => element?.select()}
        />
        <button type="submit" class="button primary">
          Keep
        </button>
      </form>
      {problem && <p class="pad error">The browser does not let pages keep anything: copy the link instead.</p>}
      <ul class="menu">
        {views.value.map(view => (
          <li key={view.name} class="view">
            <a
              class="cut"
              href={view.url}
              aria-current={view.url === url ? 'page' : undefined}
              onClick={() => setOpen(false)}
            >
              {line(view.name)}
            </a>
            <Copy
              text={() => new URL(view.url, location.href).href}
              label={`Copy the link of ${line(view.name)}`}
              icon="link"
            />
            <button
              type="button"
              class="icon-button"
              aria-label={`Forget ${line(view.name)}`}
              title="Forget it"
              onClick={() => keep(views.value.filter(other => other !== view))}
            >
              <Icon name="close" size={12} />
            </button>
          </li>
        ))}
        {views.value.length === 0 && (
          <li class="quiet pad">
            Keep the page as it is, with its filters and its time, and come back to it here. The link is the same for
            everybody.
          </li>
        )}
      </ul>
    </Popover>
  );
}

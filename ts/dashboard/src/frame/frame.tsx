/** What is around every page: the bar above, the rail at the left, the page, and at its right what is chosen in it. */
import { signal } from '@preact/signals';
import { Component, type ComponentChildren, type ComponentType, type JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { PAGES, type Page } from '../pages/list.js';
import { Empty, Loading, Wrong } from '../parts/states.js';
import { isHelpOpen, turnHelp, useKeys } from '../state/keys.js';
import { turn } from '../state/theme.js';
import { go, href, page } from '../state/url.js';
import { Help } from './help.js';
import { Rail } from './rail.js';
import { Top } from './top.js';

type Loaded = { readonly page: Page; readonly view?: ComponentType; readonly error?: Error };

/** What is shown: the page before stays until the next is loaded. */
const shown = signal<Loaded | undefined>(undefined);
const loaded = new Map<string, ComponentType>();

function load(wanted: Page): void {
  const view = loaded.get(wanted.name);
  if (view) {
    shown.value = { page: wanted, view };
    return;
  }
  wanted.load().then(
    module => {
      loaded.set(wanted.name, module.default);
      if (page.peek() === wanted.name) shown.value = { page: wanted, view: module.default };
    },
    error => {
      if (page.peek() === wanted.name)
        shown.value = { page: wanted, error: error instanceof Error ? error : new Error(String(error)) };
    },
  );
}

export function Frame(): JSX.Element {
  const wanted = PAGES.find(({ name }) => name === page.value);
  useEffect(() => {
    if (!wanted) return;
    load(wanted);
    document.title = `${wanted.title} – otlp-arrow`;
  }, [wanted]);
  useKeys('Everywhere', [
    ...PAGES.flatMap(({ name, title, key }) =>
      key ? [{ key: `g ${key}`, text: `Go to ${title}`, act: () => go(href(name)) }] : [],
    ),
    { key: '/', text: 'Search', act: () => document.querySelector<HTMLInputElement>('#search')?.focus() },
    { key: 'T', text: 'Light or dark', act: turn },
    { key: '?', text: 'Show the keys', act: turnHelp },
  ]);
  return (
    <div class="frame">
      <a
        class="skip"
        href="#content"
        onClick={event => {
          event.preventDefault();
          document.getElementById('content')?.focus();
        }}
      >
        To the content
      </a>
      <Top />
      <Rail />
      <main id="content" tabIndex={-1}>
        {wanted ? <Content wanted={wanted} /> : <Unknown />}
      </main>
      {isHelpOpen.value && <Help />}
    </div>
  );
}

function Content({ wanted }: { wanted: Page }): JSX.Element {
  const now = shown.value;
  if (!now || now.page.name !== wanted.name) return <Loading lines={12} />;
  if (now.error) {
    return (
      <Wrong
        alone
        error={
          new Error(
            `This page could not be loaded: ${now.error.message}. The recorder may have been started anew: load the page again.`,
          )
        }
        again={() => location.reload()}
      />
    );
  }
  const View = now.view!;
  return (
    <Guard key={wanted.name}>
      <View />
    </Guard>
  );
}

/** A page that fails is told, and the frame goes on. */
class Guard extends Component<{ children: ComponentChildren }, { error?: Error }> {
  override componentDidCatch(error: Error): void {
    console.error(error);
    this.setState({ error });
  }

  override render(): ComponentChildren {
    return this.state.error ? (
      <Wrong
        alone
        error={new Error(`The page failed: ${this.state.error.message}. Please report it to the project.`)}
        again={() => this.setState({ error: undefined as never })}
      />
    ) : (
      this.props.children
    );
  }
}

function Unknown(): JSX.Element {
  return (
    <Empty alone title="There is no such page">
      <p>
        <a href={href('overview')}>To the overview</a>
      </p>
    </Empty>
  );
}

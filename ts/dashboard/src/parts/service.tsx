/** A service as every page shows it: its name with its colour. */
import type { JSX } from 'preact';
import { tint } from './colours.js';
import { line } from './text.js';

/** The name beside a dot of its colour. */
export function ServiceName({ name }: { name: string }): JSX.Element {
  return (
    <span class="service" style={tint(name)} title={line(name)}>
      <i class="dot" />
      <span class="cut">{name === '' ? <em>no name</em> : line(name)}</span>
    </span>
  );
}

/** How much of each service there is, as a stripe. */
export function Stripe({ services }: { services: { readonly [name: string]: number } }): JSX.Element {
  const entries = Object.entries(services).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const total = entries.reduce((sum, [, count]) => sum + count, 0) || 1;
  const title = entries.map(([name, count]) => `${line(name) || 'no name'}: ${count}`).join('\n');
  return (
    <span class="stripe" title={title} role="img" aria-label={`Spans by service: ${title.replaceAll('\n', ', ')}`}>
      {entries.slice(0, 24).map(([name, count]) => (
        <i key={name} style={{ ...tint(name), flexGrow: String(count / total) }} />
      ))}
    </span>
  );
}

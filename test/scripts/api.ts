/**
 * The public interface of the published crates, as rustdoc shows it, against the listings in `docs/api`:
 *
 *     npm test -- "public api"
 *
 * `OTLP_ARROW_BLESS=1` writes the listings. What is `#[doc(hidden)]` is not public and is not listed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostTriple, ROOT, run } from './run.js';

/** Crates whose interface is listed, and how many items each may have. */
const CRATES: Readonly<Record<string, number>> = { 'otlp-arrow': 60, 'otlp-arrow-query': 200, 'otlp-arrow-sdk': 10 };

/** One item: what it is, its path below the crate, and everything that is said of it in code. */
interface Item {
  readonly title: string;
  readonly lines: readonly string[];
}

/** Builds the documentation, in which no link may be broken, and compares what it shows. */
export async function publicApi(): Promise<void> {
  const flags = `${process.env.RUSTDOCFLAGS ?? ''} -D warnings`.trim();
  await run('cargo', ['doc', '--quiet', '--no-deps'], { env: { RUSTDOCFLAGS: flags } });
  const problems = Object.entries(CRATES).flatMap(([crate, most]) => compare(crate, most));
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function compare(crate: string, most: number): string[] {
  const items = publicItems(join(ROOT, 'target', hostTriple(), 'doc', crate.replaceAll('-', '_')));
  console.log(`${crate}: ${items.length} public items, fewer than ${most} allowed`);
  const problems =
    items.length < most ? [] : [`${crate} has ${items.length} public items: fewer than ${most} are allowed`];
  const listing = [
    `The public interface of ${crate}: ${items.length} items. Written by OTLP_ARROW_BLESS=1 npm test -- "public api"`,
    ...items.map(({ title, lines }) => [title, ...lines.map(line => `    ${line}`)].join('\n')),
  ].join('\n\n');
  const file = join(ROOT, 'docs/api', `${crate}.txt`);
  const known = existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\r\n', '\n') : '';
  if (known === `${listing}\n`) return problems;
  if (process.env.OTLP_ARROW_BLESS === '1') {
    mkdirSync(join(ROOT, 'docs/api'), { recursive: true });
    writeFileSync(file, `${listing}\n`);
    return problems;
  }
  const [before, now] = [known, listing].map(text => new Set(text.split('\n').map(line => line.trim())));
  const gone = [...before!].filter(line => !now!.has(line)).map(line => `- ${line}`);
  const added = [...now!].filter(line => !before!.has(line)).map(line => `+ ${line}`);
  const changes = [...gone, ...added].slice(0, 40).join('\n');
  return [
    ...problems,
    `docs/api/${crate}.txt is not what the crate shows: if the change is meant, write it with OTLP_ARROW_BLESS=1\n${changes}`,
  ];
}

/** Every item of a crate's page "all items". */
function publicItems(folder: string): Item[] {
  const all = readFileSync(join(folder, 'all.html'), 'utf8');
  const links = [...all.matchAll(/<li><a href="([^"#]+)">([^<]+)<\/a><\/li>/g)];
  if (links.length === 0)
    throw new Error(`no items in ${join(folder, 'all.html')}: does this rustdoc write it otherwise?`);
  const items = links.map(([, href, path]) => {
    const kind = href!.split('/').at(-1)!.split('.')[0]!;
    return { title: `${kind} ${path}`, lines: declared(readFileSync(join(folder, href!), 'utf8')) };
  });
  const path = ({ title }: Item) => title.slice(title.indexOf(' '));
  return items.sort((one, other) => (path(one) < path(other) ? -1 : 1));
}

/** The declaration, the methods, and the traits that are implemented by hand or derived. */
function declared(page: string): string[] {
  const declaration = /<pre class="rust item-decl"><code>([\s\S]*?)<\/code><\/pre>/.exec(page)?.[1] ?? '';
  return [
    ...code(declaration)
      .split('\n')
      .map(line => line.trim())
      .filter(line => line !== ''),
    ...headers(section(page, 'implementations-list'), 'h4'),
    ...headers(section(page, 'trait-implementations-list'), 'h3').sort(),
  ];
}

/** A section of an item's page, up to the next. */
function section(page: string, id: string): string {
  const start = page.indexOf(`<div id="${id}">`);
  if (start < 0) return '';
  const end = page.slice(start).search(/<h2 id="|<script|<\/main>/);
  return page.slice(start, end < 0 ? undefined : start + end);
}

const headers = (html: string, tag: string): string[] =>
  [...html.matchAll(new RegExp(`<${tag} class="code-header">([\\s\\S]*?)</${tag}>`, 'g'))].map(([, header]) =>
    code(header!).replace(/\s+/g, ' ').trim(),
  );

/** Text of marked-up code. */
function code(html: string): string {
  return html
    .replace(/<summary[\s\S]*?<\/summary>/g, '')
    .replace(/<br\s*\/?>/g, '\n')
    .replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&amp;', '&');
}

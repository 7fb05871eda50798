/** What stands where there is nothing to see: nothing yet, nothing found, something wrong. Each says what to do. */
import type { ComponentChildren, JSX } from 'preact';
import { ApiError } from '../api.js';
import type { Searched } from '../wire.js';
import { clean } from './text.js';
import { clock, count } from './time.js';

/** The title of what stands where there is nothing to see: of the whole page where it is `alone`. */
const Title = ({ alone, title }: { alone: boolean | undefined; title: string }): JSX.Element =>
  alone ? <h1>{title}</h1> : <h2>{title}</h2>;

/** Nothing to see. */
export function Empty({
  title,
  alone,
  children,
}: {
  title: string;
  /** Whether the page has nothing else. */
  alone?: boolean;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="state" role="status">
      <Title alone={alone} title={title} />
      {children}
    </div>
  );
}

/** Something went wrong, and what was told of it. */
export function Wrong({
  error,
  alone,
  again,
}: {
  error: Error;
  /** Whether the page has nothing else. */
  alone?: boolean;
  again?: () => void;
}): JSX.Element {
  const code = error instanceof ApiError ? error.code : error.name;
  const title = code === 'OFFLINE' ? 'Nobody answers' : code === 'TIMEOUT' ? 'That took too long' : 'That did not work';
  return (
    <div class="state wrong" role="alert">
      <Title alone={alone} title={title} />
      <p>{clean(error.message)}</p>
      <p class="quiet">
        <code>{code}</code>
      </p>
      {again && (
        <button type="button" class="button" onClick={again}>
          Ask again
        </button>
      )}
    </div>
  );
}

/** Bars in the place of what is on its way. */
export function Loading({ lines = 6 }: { lines?: number }): JSX.Element {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} style={{ width: `${88 - ((i * 37) % 45)}%` }} />
      ))}
    </div>
  );
}

/** Says of an answer what it leaves out: nothing is left out silently. */
export function SearchedNote({ searched }: { searched: Searched | undefined }): JSX.Element | null {
  if (!searched) return null;
  const notes = [];
  if (!searched.complete && searched.why !== 'limit') {
    const why = {
      max_rows: 'more rows match than query.max_rows allows',
      timeout: 'the time for the question was over',
      memory: 'the memory for questions was used up',
      cancelled: 'the question was ended',
    };
    const reason = why[searched.why as keyof typeof why] ?? 'not everything could be searched';
    notes.push(
      `Not everything: ${reason}${searched.from ? `; complete since ${clock(searched.from, { digits: 0 })}` : ''}.`,
    );
  }
  for (const { file, why } of searched.skipped ?? []) notes.push(`Left out ${clean(file)}: ${clean(why)}`);
  if (notes.length === 0) return null;
  return (
    <p class="note" role="status" title={`${count(searched.rows)} rows of ${searched.files} files`}>
      {notes.join(' ')}
    </p>
  );
}

/** What may have been meant, where nothing was found. */
export function Hints({ searched }: { searched: Searched | undefined }): JSX.Element | null {
  if (!searched?.hints?.length) return null;
  return (
    <ul class="hints">
      {searched.hints.map(hint => (
        <li key={hint}>{clean(hint)}</li>
      ))}
    </ul>
  );
}

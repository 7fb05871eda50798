import { type Lost, resourceField, schemaUrl, scopeField } from './owners.js';
import type { InstrumentationScope, Resource } from './types.js';
import type { Writer } from './writer.js';

/** Records that could not be read, because a property was missing or threw. */
export interface Skipped extends Lost {
  count: number;
  /** Why the first one was skipped; empty when none was. */
  reason: string;
}

/** Records that are looked at ahead of writing. */
const AHEAD = 8;

interface Owned {
  readonly resource?: Resource | undefined;
  /** SDKs always give one; what somebody else hands over may lack it. */
  readonly instrumentationScope?: InstrumentationScope | undefined;
  readonly instrumentationLibrary?: InstrumentationScope | undefined;
}

/** Writes records as `Resource*` and `Scope*` envelopes, grouped by the identity of resource and scope, in their order. */
export function envelopes<T extends Owned>(
  w: Writer,
  records: readonly T[],
  fallback: Resource | undefined,
  write: (w: Writer, record: T) => void,
  skipped: Skipped,
  touch: (record: T) => number,
): void {
  for (const [resource, scopes] of group(records, fallback, skipped)) {
    w.open(0x0a);
    resourceField(w, resource, skipped);
    for (const [scope, members] of scopes) {
      w.open(0x12);
      scopeField(w, scope, skipped);
      for (let i = 0; i < members.length; i++) {
        if (i % AHEAD === 0) fetch(members, i, touch);
        one(w, members[i]!, write, skipped);
      }
      schemaUrl(w, scope, skipped);
      w.close();
    }
    schemaUrl(w, resource, skipped);
    w.close();
  }
}

/**
 * Looks at the next records, so that the processor gets them from memory together and not one miss after the other:
 * a quarter of an export where other programs use the cache as well.
 */
function fetch<T>(records: readonly T[], from: number, touch: (record: T) => number): void {
  const end = Math.min(from + AHEAD, records.length);
  if (end - from < 2) return;
  let seen = 0;
  try {
    for (let i = from; i < end; i++) seen += touch(records[i]!);
  } catch {
    // Writing it will tell.
  }
  fetched = seen;
}

/** What {@link fetch} saw: kept, or the compiler could leave the looking out. */
export let fetched = 0;

/** Writes one record as a field 2, or nothing if it throws. */
export function one<T>(w: Writer, record: T, write: (w: Writer, record: T) => void, skipped: Skipped): void {
  w.mark();
  w.cut = false;
  try {
    w.open(0x12);
    write(w, record);
    w.close();
  } catch (error) {
    w.rewind();
    skip(skipped, error);
  }
}

type Groups<T> = Map<Resource | undefined, Map<InstrumentationScope | undefined, T[]>>;

function group<T extends Owned>(records: readonly T[], fallback: Resource | undefined, skipped: Skipped): Groups<T> {
  const groups: Groups<T> = new Map();
  let lastResource: Resource | undefined;
  let lastScope: InstrumentationScope | undefined;
  let members: T[] | undefined;
  for (const record of records) {
    try {
      const resource = record.resource ?? fallback;
      const scope = record.instrumentationScope ?? record.instrumentationLibrary;
      if (scope !== lastScope || resource !== lastResource || members === undefined) {
        const scopes = groups.get(resource) ?? new Map<InstrumentationScope | undefined, T[]>();
        groups.set(resource, scopes);
        members = scopes.get(scope) ?? [];
        scopes.set(scope, members);
        lastResource = resource;
        lastScope = scope;
      }
      members.push(record);
    } catch (error) {
      skip(skipped, error);
    }
  }
  return groups;
}

/** Counts a record that is left out. */
export function skip(skipped: Skipped, error: unknown): void {
  if (skipped.count++ === 0) skipped.reason = error instanceof Error ? error.message : String(error);
}

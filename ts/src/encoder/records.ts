import { resourceField, scopeField } from './attributes.js';
import type { InstrumentationScope, Resource } from './types.js';
import type { Writer } from './writer.js';

/** Records that could not be read, because a property was missing or threw. */
export interface Skipped {
  count: number;
  /** Why the first one was skipped; empty when none was. */
  reason: string;
}

interface Owned {
  readonly resource?: Resource | undefined;
  readonly instrumentationScope: InstrumentationScope;
}

/** Writes records as `Resource*` and `Scope*` envelopes, grouped by the identity of resource and scope, in their order. */
export function envelopes<T extends Owned>(
  w: Writer,
  records: readonly T[],
  fallback: Resource | undefined,
  write: (w: Writer, record: T) => void,
  skipped: Skipped,
): void {
  for (const [resource, scopes] of group(records, fallback, skipped)) {
    const envelope = w.open(0x0a);
    resourceField(w, resource);
    for (const [scope, members] of scopes) {
      const scoped = w.open(0x12);
      scopeField(w, scope);
      for (const record of members) one(w, record, write, skipped);
      if (scope.schemaUrl) w.string(0x1a, scope.schemaUrl);
      w.close(scoped);
    }
    if (resource?.schemaUrl) w.string(0x1a, resource.schemaUrl);
    w.close(envelope);
  }
}

/** Writes one record as a field 2, or nothing if it throws. */
export function one<T>(w: Writer, record: T, write: (w: Writer, record: T) => void, skipped: Skipped): void {
  w.mark();
  w.cut = false;
  try {
    const start = w.open(0x12);
    write(w, record);
    w.close(start);
  } catch (error) {
    w.rewind();
    skip(skipped, error);
  }
}

type Groups<T> = Map<Resource | undefined, Map<InstrumentationScope, T[]>>;

function group<T extends Owned>(records: readonly T[], fallback: Resource | undefined, skipped: Skipped): Groups<T> {
  const groups: Groups<T> = new Map();
  let lastResource: Resource | undefined;
  let lastScope: InstrumentationScope | undefined;
  let members: T[] = [];
  for (const record of records) {
    try {
      const resource = record.resource ?? fallback;
      const scope = record.instrumentationScope;
      if (scope !== lastScope || resource !== lastResource || lastScope === undefined) {
        const scopes = groups.get(resource) ?? new Map<InstrumentationScope, T[]>();
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

function skip(skipped: Skipped, error: unknown): void {
  if (skipped.count++ === 0) skipped.reason = error instanceof Error ? error.message : String(error);
}

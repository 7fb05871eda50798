import { readableAttributes } from './attributes.js';
import type { InstrumentationScope, Resource } from './types.js';
import type { Writer } from './writer.js';

/** What of resources and scopes could not be read. Their records are kept without it. */
export interface Lost {
  /** What the first one was, and why; empty when everything could be read. */
  lost: string;
}

/** Does `write`; if it throws, or nests too deep, what it wrote is taken back and `what` is lost. */
export function attempt(w: Writer, what: string, lost: Lost, write: () => void): void {
  w.mark();
  w.cut = false;
  try {
    write();
    if (w.cut) throw new RangeError('it is nested too deep');
  } catch (error) {
    w.rewind();
    w.cut = false;
    lost.lost ||= `${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A `Resource` field with tag 0x0a; nothing without a resource. */
export function resourceField(w: Writer, resource: Resource | undefined, lost: Lost): void {
  if (!resource) return;
  w.open(0x0a);
  attributesOf(w, 0x0a, resource, 'resource', lost);
  w.close();
}

/** An `InstrumentationScope` field with tag 0x0a; nothing without a scope. */
export function scopeField(w: Writer, scope: InstrumentationScope | undefined, lost: Lost): void {
  if (!scope) return;
  w.open(0x0a);
  attempt(w, 'name of a scope', lost, () => text(w, 0x0a, scope.name));
  attempt(w, 'version of a scope', lost, () => text(w, 0x12, scope.version));
  attributesOf(w, 0x1a, scope, 'scope', lost);
  attempt(w, 'droppedAttributesCount of a scope', lost, () => w.uint32(0x20, scope.droppedAttributesCount));
  w.close();
}

/** The `schema_url` of a resource or scope, which stands behind what belongs to it. */
export function schemaUrl(w: Writer, owner: Resource | InstrumentationScope | undefined, lost: Lost): void {
  if (owner) attempt(w, 'a schemaUrl', lost, () => text(w, 0x1a, owner.schemaUrl));
}

function attributesOf(w: Writer, tag: number, owner: Resource | InstrumentationScope, what: string, lost: Lost): void {
  // Not within attempt(), which would take back those that could be read.
  try {
    readableAttributes(w, tag, owner.attributes, lost);
  } catch (error) {
    lost.lost ||= `attributes of a ${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function text(w: Writer, tag: number, value: string | undefined): void {
  if (value) w.string(tag, value);
}

/** `maxBytes` as `max_bytes`. */
export function snakeKey(key: string): string {
  return key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

/** `max_bytes` as `maxBytes`. */
export function camelKey(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A copy of plain data with every key renamed, except below keys in `opaque`, where keys are names and not vocabulary. */
export function renamed(value: unknown, rename: (key: string) => string, opaque: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map(item => renamed(item, rename, opaque));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      rename(key),
      opaque.has(key) ? inner : renamed(inner, rename, opaque),
    ]),
  );
}

/** Values of an answer, as the addon writes them: JSON in which a text that begins with U+0001 is an integer of 64 bits. */

const MARK = 1;

/** Reads an answer. */
export function answerOf<T>(json: string): T {
  return revived(JSON.parse(json)) as T;
}

/** `value` with bigints for marked texts; arrays and objects are changed where they stand. */
function revived(value: unknown): unknown {
  if (typeof value === 'string') {
    if (value.charCodeAt(0) !== MARK) return value;
    const rest = value.slice(1);
    // A text that begins so by itself has one more in front.
    return rest.charCodeAt(0) === MARK ? rest : BigInt(rest);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const [at, inner] of value.entries()) value[at] = revived(inner);
    return value;
  }
  const fields = value as Record<string, unknown>;
  // An attribute may be called __proto__: of JSON it is a field like any other, and is written as one.
  for (const name of Object.keys(fields)) fields[name] = revived(fields[name]);
  return value;
}

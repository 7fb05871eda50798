/** What is looked for in log records, where it stands in a line. */

export interface Looked {
  readonly text?: string;
  readonly regex?: string;
  readonly ignore_case?: 'true';
}

/** Where it occurs in a line, to be marked; the browser's regular expressions know less and more than the API's, so a miss marks nothing. */
export function marks(
  line: string,
  { text, regex, ignore_case }: Looked,
  most = 20,
): readonly (readonly [from: number, to: number])[] {
  const found: [number, number][] = [];
  let pattern: RegExp;
  try {
    const source = regex ?? text?.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    if (source === undefined) return [];
    pattern = new RegExp(source, ignore_case ? 'giu' : 'gu');
  } catch {
    return [];
  }
  if (regex !== undefined && isSlow(regex, line)) return [];
  for (const match of line.matchAll(pattern)) {
    if (match[0] !== '') found.push([match.index, match.index + match[0].length]);
    if (found.length >= most) break;
  }
  return found;
}

/** Whether the browser could go back and forth in it for long: the API does not, and the page is not to wait for a mark. */
const isSlow = (regex: string, line: string): boolean =>
  line.length > 2_000 || /\)[*+?{]/.test(regex) || (regex.match(/[*+{]/g)?.length ?? 0) > 2;

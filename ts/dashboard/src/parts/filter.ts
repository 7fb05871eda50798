/** How a value is asked for, as the words of the API have it (docs/query.md). */
import { all, set } from '../state/url.js';

const NEEDS_QUOTES = /[=!<>~]/;

/** `key=value` as the words `attr` and `resource` take it; what could be read otherwise is written as JSON strings. */
export function condition(key: string, value: string, is = true): string {
  const name = NEEDS_QUOTES.test(key) || key.startsWith('"') ? JSON.stringify(key) : key;
  const text = value.startsWith('"') && value.endsWith('"') ? JSON.stringify(value) : value;
  return `${name}${is ? '=' : '!='}${text}`;
}

/** `value` of `service`, `name`, `kind` or `status`, so that it stands for itself. */
export function exactly(value: string, is = true): string {
  const text = value === '' || /^[!~"]/.test(value) ? JSON.stringify(value) : value;
  return is ? text : `!${text}`;
}

/** Words whose values are names of columns. */
const COLUMNS = new Set(['service', 'name', 'kind', 'status', 'severity']);

/** Filters by a value of a column (`status`), an attribute (`attr:http.route`) or an attribute of the resource (`resource:host.name`). */
export function filterBy(by: string, value: string, is = true): void {
  const [word, wanted, unwanted] = conditionOf(by, value, is);
  set({ [word]: [...all(word).filter(other => other !== unwanted && other !== wanted), wanted] });
}

/** The word, the value that asks for it, and the one that asks for the opposite. */
export function conditionOf(by: string, value: string, is = true): [word: string, wanted: string, unwanted: string] {
  if (COLUMNS.has(by)) return [by, exactly(value, is), exactly(value, !is)];
  const resource = by.startsWith('resource:');
  const key = by.replace(/^(?:attr|resource):/, '');
  return [resource ? 'resource' : 'attr', condition(key, value, is), condition(key, value, !is)];
}

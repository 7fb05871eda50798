/** Spans by `http.route`, as apache-arrow JS answers it. */
import { readFileSync } from 'node:fs';
import { tableFromIPC } from 'apache-arrow';
import 'otlp-arrow/arrow';
import { files } from './report.js';

/** How many spans of `directory` have each route. */
export function routes(directory: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const path of files(directory, 'traces')) {
    for (const row of tableFromIPC(readFileSync(path))) {
      const route: string | undefined = row.attributes['http.route'];
      if (route !== undefined) found[route] = (found[route] ?? 0) + 1;
    }
  }
  return found;
}

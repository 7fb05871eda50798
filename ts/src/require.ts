import { createRequire } from 'node:module';

/** What to do about a copy of this package inside a bundle, where what it loads is not beside it. */
export const BUNDLED =
  'otlp-arrow is part of a bundle, which cannot hold its native addon. Leave it out of the bundle and install it beside: ' +
  '`--external:otlp-arrow` for esbuild, `externals` for webpack, `external` for Rollup and Vite';

/** Loads CommonJS modules as this package sees them. */
export const require = create();

function create(): NodeJS.Require {
  // A bundle in CommonJS form has none.
  const here: string | undefined = import.meta.url;
  if (here === undefined) throw new Error(BUNDLED);
  return createRequire(here);
}

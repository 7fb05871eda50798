import { defineConfig } from 'vitest/config';

// The suites run on the built package (ts/dist), the very files that ship; `npm run build` comes first.
export default defineConfig({
  test: {
    include: ['test/{node,package,guests}/**/*.test.ts', 'ts/dashboard/test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    server: { deps: { external: [/\/ts\/dist\//, /\/ts\/native\//] } },
  },
  resolve: {
    alias: [
      { find: /^otlp-arrow$/, replacement: new URL('./ts/dist/index.js', import.meta.url).pathname },
      { find: /^otlp-arrow\/(arrow|grpc)$/, replacement: new URL('./ts/dist/$1.js', import.meta.url).pathname },
    ],
  },
});

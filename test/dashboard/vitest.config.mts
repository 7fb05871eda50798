import { defineConfig } from 'vitest/config';

// One recorder for all files: see setup.ts. A file is a browser of its own.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/dashboard/**/*.test.ts'],
    globalSetup: ['test/dashboard/setup.ts'],
    pool: 'forks',
    // Two at a time: more browsers than processors measure each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

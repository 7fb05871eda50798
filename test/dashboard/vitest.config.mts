import { defineConfig } from 'vitest/config';

// One recorder for all files: see setup.ts. A file is a browser of its own.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/dashboard/**/*.test.ts'],
    globalSetup: ['test/dashboard/setup.ts', 'test/dashboard/shop.ts'],
    pool: 'forks',
    // One browser at a time: several measure each other.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});

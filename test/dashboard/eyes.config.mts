import { defineConfig } from 'vitest/config';

// The recording of a day is opened by the file itself.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/dashboard/*.eyes.ts'],
    pool: 'forks',
    testTimeout: 1_800_000,
    hookTimeout: 300_000,
  },
});

/**
 * What is not tried. A machine may lack a program or a network, and its owner wants to hear of everything else: such a step
 * or test is skipped and says why. Where nothing may be left out, as in CI, that is a failure.
 */

/** Set for every suite that `npm test` starts, where nothing may be left out. */
export const NO_SKIPS = 'NO_SKIPS';

/** Whether what cannot be tried is a failure. */
export function forbidden(): boolean {
  return process.env[NO_SKIPS] !== undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of the terminal
const COLOUR = /\u001b\[[0-9;]*m/g;

/** What cargo test, vitest and pytest say of tests that did not run. */
const LEFT_OUT = /\b[1-9]\d* (?:skipped|todo|ignored|deselected|xfailed)\b/g;

/** The lines in which they say it. */
const SUMMARY = /^test result: |^\s*(?:Test Files|Tests)\s|\bin [\d.]+s\b/;

/** Fails if a suite says that it left tests out where it may not: everywhere but on systems that lack what they test. */
export function everythingRan(output: string): void {
  if (!forbidden() || process.platform !== 'linux') return;
  const summaries = output
    .replaceAll(COLOUR, '')
    .split('\n')
    .filter(line => SUMMARY.test(line));
  const found = summaries.flatMap(line => line.match(LEFT_OUT) ?? []);
  if (found.length > 0) throw new Error(`tests were left out, which is not allowed here: ${found.join(', ')}`);
}

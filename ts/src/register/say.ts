const said = new Set<string>();

/** Says something about the recording itself, once, where a person who runs the program will see it. */
export function say(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  process.stderr.write(`otlp-arrow/register: ${text}\n`);
}

/** Says that nothing is recorded, and why. */
export function sayNotRecorded(error: unknown): void {
  say(`telemetry is not recorded: ${error instanceof Error ? error.message : String(error)}`);
}

/** What one attempt of the table is: its row, what is sent, and a check of what is answered. */
import { resident, type Service } from './service.js';

export interface Attack {
  /** Its number in the table of attempts; several of one kind share one. */
  readonly row: number;
  readonly name: string;
  /** Does it: resolves with what was answered, rejects where that is not what it must be. */
  readonly run: (target: Target) => Promise<string>;
}

export interface Target {
  readonly service: Service;
  /** Of its HTTP listener. */
  readonly port: number;
  /** The program, for attempts that start one of their own. */
  readonly binary: string;
  /** How much more the long form does. */
  readonly scale: number;
}

/** Fails where an answer is none of those that may be. */
export function expect(what: string, got: unknown, ...allowed: readonly unknown[]): void {
  if (!allowed.includes(got)) throw new Error(`${what}: answered ${String(got)}, and may be ${allowed.join(' or ')}`);
}

export function ensure(what: string, holds: boolean, detail = ''): void {
  if (!holds) throw new Error(`not so: ${what}${detail && `: ${detail.slice(0, 2_000)}`}`);
}

/** How often each answer came, for the report. */
export function tally(answers: readonly unknown[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(String(answer), (counts.get(String(answer)) ?? 0) + 1);
  return [...counts].map(([answer, count]) => (count === 1 ? answer : `${count} × ${answer}`)).join(', ');
}

/** Records of spans that were received so far, by the counters of the service, without those of the client beside it. */
export async function kept(port: number, name: string): Promise<number> {
  const filter = encodeURIComponent(name);
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/spans?name=${filter}&limit=1000`);
  const text = await response.text();
  if (!response.ok) throw new Error(`/api/v1/spans answered ${response.status}: ${text}`);
  return text.split(`"${name}"`).length - 1;
}

export { resident };

/** The named places where a process ends itself, how often each was hit, and which is next. */

export type Phase = 'load' | 'recovery';

const NAMES = [
  'create',
  'write',
  'fdatasync',
  'rotate',
  'seal-write',
  'seal-sync',
  'rename',
  'directory-sync',
  'unlink',
  'adopt',
  'quarantine',
  'retention-delete',
];

/** All of them, as `OTLP_ARROW_FAILPOINT` takes them. */
export const PLACES: readonly string[] = NAMES.flatMap(name => [`${name}.before`, `${name}.after`]);

/** Passed only while a directory is opened. */
const RECOVERY_ONLY = ['adopt', 'quarantine'];
/** Passed while a directory is opened in which unsealed files were left. */
const RECOVERY = ['seal-write', 'seal-sync', 'rename', 'directory-sync', 'unlink', ...RECOVERY_ONLY];

/** The step a place belongs to. */
export const stepOf = (place: string): string => place.slice(0, place.lastIndexOf('.'));

/** How often each program was killed where. */
export class Kills {
  readonly #counts = new Map<string, number>();

  add(what: string, program: string, phase: Phase): void {
    for (const key of [what, `${what}|${program}`, `${what}|${phase}`, `|${phase}`, `|`]) {
      this.#counts.set(key, this.of(key) + 1);
    }
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /**
   * The place that was hit least often and can be hit in this phase; the first of several in a rotating order.
   * `little`: there is too little data for retention to delete some of it.
   */
  next(phase: Phase, turn: number, little: boolean): string {
    const can = PLACES.filter(place => !little || stepOf(place) !== 'retention-delete').filter(place =>
      phase === 'recovery' ? RECOVERY.includes(stepOf(place)) : !RECOVERY_ONLY.includes(stepOf(place)),
    );
    // What recovery alone passes gets four times its share of recoveries.
    const weight = (place: string) =>
      phase === 'recovery' && RECOVERY_ONLY.includes(stepOf(place)) ? this.of(place) / 4 : this.of(`${place}|${phase}`);
    const least = Math.min(...can.map(weight));
    const first = can.filter(place => weight(place) === least);
    return first[turn % first.length]!;
  }

  /** A table of everything, a line each. */
  table(programs: readonly string[]): string[] {
    const line = (name: string, cells: readonly (string | number)[]) =>
      `${name.padEnd(24)}${cells.map(cell => String(cell).padStart(10)).join('')}`;
    const row = (what: string) =>
      line(what, [
        this.of(what),
        ...programs.map(program => this.of(`${what}|${program}`)),
        this.of(`${what}|load`),
        this.of(`${what}|recovery`),
      ]);
    return [
      line('killed at', ['all', ...programs, 'load', 'recovery']),
      ...PLACES.map(row),
      row('random moment'),
      line('together', [this.of('|'), ...programs.map(() => ''), this.of('|load'), this.of('|recovery')]),
    ];
  }
}

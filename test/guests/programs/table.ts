/** Popular programs, each with what a person does with it. */
import { COMPILERS } from './compilers.js';
import { PROCESSES } from './processes.js';
import { RUNNERS } from './runners.js';
import { SERVERS } from './servers.js';
import type { Session } from './session.js';

export interface Program {
  readonly name: string;
  /** From the registry, with versions; the first one is the program. */
  readonly packages: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /**
   * Words behind `node`, or all of them with `command`; `bin:NAME` is a program of the packages. Programs that start
   * others find the preload in NODE_OPTIONS.
   */
  readonly args: readonly string[];
  readonly command?: string;
  readonly through?: 'options';
  readonly env?: Readonly<Record<string, string>>;
  readonly drive?: (session: Session) => Promise<void>;
  /** Scopes of which spans are kept; none for a program that makes no telemetry. */
  readonly scopes: readonly string[];
  /** Spans that are kept at least. */
  readonly least?: number;
  readonly steady?: readonly (readonly [RegExp, string])[];
  readonly unordered?: boolean;
  /** Takes a minute, and so is tried in the long run only. */
  readonly long?: boolean;
  /** What we may say on standard error. */
  readonly says?: RegExp;
  /** Removed before each run. */
  readonly cleanup?: readonly string[];
  /** Left out with this reason. */
  readonly missing?: () => string | undefined;
}

export const PROGRAMS: readonly Program[] = [...SERVERS, ...RUNNERS, ...COMPILERS, ...PROCESSES];

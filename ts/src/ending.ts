import type { BindingLibrary } from '../native/binding.cjs';

/** How long the end of the process may be held up in all, in milliseconds. */
export const PATIENCE_MS = 5_000;
/** How much of it exports may go on waiting once nothing else is going on. */
const EXPORTS_MS = 2_500;
/** Between two looks whether that is so, and how many in a row must find it. */
const LOOK_MS = 250;
const LOOKS = 2;

/** Exports of SDK exporters that are not answered, by library. */
const waiting = new Map<BindingLibrary, number>();
let exports = 0;
let look: NodeJS.Timeout | undefined;
let idle = 0;
let began: number | undefined;

/** How much of its time the end still has, in milliseconds; all of it before it begins. */
export function leftMs(): number {
  return began === undefined ? PATIENCE_MS : Math.max(0, began + PATIENCE_MS - performance.now());
}

/**
 * Has an end noticed while an export waits. Neither we nor the SDK's own timers let the process end before that export is
 * answered, so no event tells of it: it has come when nothing but timers, and no more of them than that, is left to do.
 */
export async function watched<T>(library: BindingLibrary, sent: Promise<T>): Promise<T> {
  exports++;
  waiting.set(library, (waiting.get(library) ?? 0) + 1);
  look ??= setTimeout(looked, LOOK_MS).unref();
  try {
    return await sent;
  } finally {
    exports--;
    const others = waiting.get(library)! - 1;
    if (others > 0) waiting.set(library, others);
    else waiting.delete(library);
  }
}

function looked(): void {
  look = exports > 0 ? setTimeout(looked, LOOK_MS).unref() : undefined;
  idle = exports > 0 && nothingElse() ? idle + 1 : 0;
  if (idle === 0 && began !== undefined) {
    began = undefined;
    for (const library of waiting.keys()) library.endsIn(undefined);
  } else if (idle >= LOOKS) {
    began ??= performance.now();
    // Each time: a library may be new, or have begun to wait.
    for (const library of waiting.keys()) library.endsIn(Math.max(0, leftMs() - (PATIENCE_MS - EXPORTS_MS)));
  }
}

/** Whether nothing keeps the process alive but one timer of ours, and of the SDK one for each export. */
function nothingElse(): boolean {
  const active = process.getActiveResourcesInfo?.();
  if (!active) return false;
  // Standard output and error are listed, though they keep nothing alive.
  const written = active.filter(kind => kind === 'PipeWrap' || kind === 'TTYWrap').length;
  const timers = active.filter(kind => kind === 'Timeout').length;
  return timers + written === active.length && written <= 2 && timers <= 1 + exports;
}

import type { BindingLibrary } from '../native/binding.cjs';
import { warn } from './diag.js';
import { leftMs } from './ending.js';

const open = new Set<WeakRef<BindingLibrary>>();
const collected = new FinalizationRegistry<WeakRef<BindingLibrary>>(ref => open.delete(ref));
let listening = false;
let tell = warn;

/** Has what is lost at the end told by `say` instead of the diag logger. */
export function tellBy(say: (text: string) => void): void {
  tell = say;
}

/** Keeps what every open library accepted, and closes them, before it returns; tells what was lost. */
export function closeNow(patienceMs = leftMs()): void {
  const deadline = performance.now() + Math.min(patienceMs, leftMs());
  for (const ref of open) {
    const closed = ref.deref()?.shutdownNow(Math.max(0, deadline - performance.now()));
    // Files that are left to be sealed are nothing to worry about.
    if (closed && 'isBindingError' in closed && closed.message.includes('are lost')) tell(closed.message);
  }
}

/**
 * Sees to it that what a library accepted is kept when the process, or this worker thread, ends without a shutdown.
 * Returns what to call after one. It holds on to nothing: a library that is collected ends by itself.
 */
export function closeAtExit(library: BindingLibrary): () => void {
  if (!listening) {
    listening = true;
    process.once('exit', () => closeNow());
  }
  const ref = new WeakRef(library);
  open.add(ref);
  collected.register(library, ref);
  return () => open.delete(ref);
}

import type { BindingLibrary } from '../native/binding.cjs';

/** How long all libraries together may hold up the end of the process, in milliseconds. */
const PATIENCE_MS = 5_000;

const open = new Set<WeakRef<BindingLibrary>>();
const collected = new FinalizationRegistry<WeakRef<BindingLibrary>>(ref => open.delete(ref));
let listening = false;

/** Keeps what every open library accepted, and closes them, before it returns. */
export function closeNow(patienceMs = PATIENCE_MS): void {
  const deadline = performance.now() + patienceMs;
  for (const ref of open) ref.deref()?.shutdownNow(Math.max(0, deadline - performance.now()));
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

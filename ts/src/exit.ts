import type { BindingLibrary } from '../native/binding.cjs';

/** How long the end of the process may be held up, in milliseconds. */
const PATIENCE_MS = 5_000;

const open = new Set<WeakRef<BindingLibrary>>();
const collected = new FinalizationRegistry<WeakRef<BindingLibrary>>(ref => open.delete(ref));
let listening = false;

/**
 * Sees to it that what a library accepted is kept when the process, or this worker thread, ends without a shutdown.
 * Returns what to call after one. It holds on to nothing: a library that is collected ends by itself.
 */
export function closeAtExit(library: BindingLibrary): () => void {
  if (!listening) {
    listening = true;
    process.once('exit', () => {
      for (const ref of open) ref.deref()?.shutdownNow(PATIENCE_MS);
    });
  }
  const ref = new WeakRef(library);
  open.add(ref);
  collected.register(library, ref);
  return () => open.delete(ref);
}

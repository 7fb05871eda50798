/**
 * The hooks of one copy of import-in-the-middle, in the thread of Node.js's loader. A program has as many copies as its
 * instrumentations have base classes; each wraps modules of its own, and the second one would warn of the first.
 */
import type { LoadHook, ResolveHook } from 'node:module';

interface Hooks {
  initialize(data: unknown): Promise<void>;
  readonly resolve: ResolveHook;
  readonly load: LoadHook;
}

let hooks: Hooks | undefined;

export async function initialize({ file, data }: { file: string; data: unknown }): Promise<void> {
  hooks = (await import(file)) as Hooks;
  // What the first copy told, and the second one reads.
  delete (globalThis as { __import_in_the_middle_initialized__?: boolean }).__import_in_the_middle_initialized__;
  await hooks.initialize(data);
}

export const resolve: ResolveHook = (...words) => (hooks ? hooks.resolve(...words) : words[2](words[0], words[1]));
export const load: LoadHook = (...words) => (hooks ? hooks.load(...words) : words[2](words[0], words[1]));

import Module from 'node:module';
import { resolve } from 'node:path';
import { isModule } from './find.js';

/** What is used of the loader of CommonJS modules, which ts-node and babel-node call too. */
interface Loader {
  runMain(main?: string): unknown;
  _load(file: string, parent: null, isMain: boolean): unknown;
  _findPath(file: string, paths: null, isMain: boolean): string | false;
}

/** Words of the command line and of NODE_OPTIONS that ask for modules before the program. */
function preloads(): number {
  const words = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  return words.filter(word => /^--(?:import|(?:experimental-)?loader)(?:=|$)/.test(word)).length;
}

/**
 * Where modules are imported before the program, `Module.runMain` of Node.js 20 and 22 loads everything as an ECMAScript
 * module: ts-node, babel-node and others, which call it for files that only their own hooks of CommonJS can read, would
 * fail. The program itself is under way by now, and is loaded as it was.
 */
export function keepRunMain(): void {
  const loader = Module as unknown as Loader;
  const { runMain } = loader;
  if (typeof runMain !== 'function' || preloads() > 1) return;
  loader.runMain = function (main = process.argv[1]) {
    const file = main && loader._findPath(resolve(main), null, true);
    return file && !isModule(file) ? loader._load(file, null, true) : runMain.call(this, main);
  };
}

import { existsSync, readFileSync } from 'node:fs';
import Module from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';

/** What is used of the loader of CommonJS modules, which ts-node and babel-node call too. */
interface Loader {
  runMain(main?: string): unknown;
  _load(file: string, parent: null, isMain: boolean): unknown;
  _findPath(file: string, paths: null, isMain: boolean): string | false;
}

/** Whether Node.js, without any preload, would load it as an ECMAScript module. */
function isModule(file: string): boolean {
  if (extname(file) === '.mjs') return true;
  if (extname(file) === '.cjs') return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) return /"type"\s*:\s*"module"/.test(readFileSync(manifest, 'utf8'));
    if (folder === dirname(folder)) return false;
  }
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

/**
 * Which file of a Rust crate uses which: read from `use` declarations and paths, tests left out.
 *
 * Not a compiler: macros that build paths are not seen, and a name that is used through a glob is the glob's module.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** One source file of a crate. */
export interface SourceFile {
  /** Path below the crate's `src`, with `/`. */
  readonly name: string;
  /** Module path below the crate's root; the root's own is empty. */
  readonly module: readonly string[];
  /** Lines that are neither tests nor blank. */
  readonly lines: number;
  /** All lines, inline tests aside. */
  readonly length: number;
  /** The text without comments, strings and tests. */
  readonly code: string;
  /** Names that it hands on with `use`, and the paths they come by; `*` collects the globs. */
  readonly handsOn: ReadonlyMap<string, readonly string[]>;
}

/** A crate's files, and from each the files it uses, with the first path that says so. */
export interface CrateGraph {
  readonly crate: string;
  readonly files: readonly SourceFile[];
  readonly uses: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Reads the sources of the crate in `folder`. */
export function crateGraph(crate: string, folder: string): CrateGraph {
  const src = join(folder, 'src');
  const files = rustFiles(src)
    .map(path => sourceFile(src, path))
    .filter(file => file !== undefined);
  const modules = new Map(files.map(file => [file.module.join('::'), file]));
  const uses = new Map<string, Map<string, string>>();
  for (const file of files) {
    const used = new Map<string, string>();
    for (const path of paths(file.code)) {
      const target = resolve(path, file, modules);
      if (target !== undefined && target !== file && !used.has(target.name)) used.set(target.name, path.join('::'));
    }
    uses.set(file.name, used);
  }
  return { crate, files, uses };
}

/** Groups of files each of which uses every other, directly or not; only groups of more than one. */
export function circles(graph: CrateGraph): string[][] {
  const reached = new Map<string, Set<string>>();
  for (const { name } of graph.files) {
    const seen = new Set<string>();
    const waiting = [name];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      for (const next of graph.uses.get(at)?.keys() ?? []) {
        if (!seen.has(next)) {
          seen.add(next);
          waiting.push(next);
        }
      }
    }
    reached.set(name, seen);
  }
  const left = new Set(graph.files.map(file => file.name).filter(name => reached.get(name)!.has(name)));
  const found: string[][] = [];
  for (const name of left) {
    const circle = [...left].filter(other => reached.get(name)!.has(other) && reached.get(other)!.has(name));
    for (const member of circle) left.delete(member);
    found.push(circle.sort());
  }
  return found;
}

function rustFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return rustFiles(path);
    return entry.name.endsWith('.rs') ? [path] : [];
  });
}

/** `undefined` for a file that only tests include. */
function sourceFile(src: string, path: string): SourceFile | undefined {
  const name = relative(src, path).split(sep).join('/');
  if (/(^|\/)tests?(\/|\.rs$)/.test(name)) return undefined;
  const text = readFileSync(path, 'utf8');
  const code = inlineModules(withoutTests(plain(text)));
  const module = name
    .replace(/\.rs$/, '')
    .split('/')
    .filter((part, at, all) => at < all.length - 1 || !['mod', 'lib', 'main'].includes(part));
  if (module.length > 0 && isTestModule(src, path, module)) return undefined;
  const lines = code.split('\n').filter(line => line.trim() !== '').length;
  const length = withoutTests(text).trimEnd().split('\n').length;
  return { name, module, lines, length, code, handsOn: handsOn(code) };
}

function handsOn(code: string): Map<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  for (const [, tree] of code.matchAll(/\buse\s+([^;]+);/g)) {
    for (const [path, name] of spread(tree!, [])) names.set(name, path);
  }
  return names;
}

/** Whether the parent declares this module under `#[cfg(test)]`. */
function isTestModule(src: string, path: string, module: readonly string[]): boolean {
  const folder = dirname(path.endsWith(`${sep}mod.rs`) ? dirname(path) : path);
  const parents = [
    `${folder}.rs`,
    join(folder, 'mod.rs'),
    join(folder, 'lib.rs'),
    join(src, 'lib.rs'),
    join(src, 'main.rs'),
  ];
  const parent = parents.find(existsSync);
  const declared = new RegExp(
    `#\\[cfg\\(test\\)\\]\\s*(#\\[[^\\]]*\\]\\s*)*(pub(\\([a-z]+\\))? )?mod ${module.at(-1)};`,
  );
  return parent !== undefined && declared.test(readFileSync(parent, 'utf8'));
}

/** Blanks out comments, strings and characters, and keeps line breaks. */
function plain(text: string): string {
  const pattern =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|b?r(#*)"[\s\S]*?"\1|b?"(?:\\[\s\S]|[^"\\])*"|b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'/g;
  return text.replace(pattern, found => found.replace(/[^\n]/g, ' '));
}

/** Cuts out modules and items under `#[cfg(test)]`. */
function withoutTests(code: string): string {
  let out = code;
  for (let from = 0; ; ) {
    const at = out.slice(from).search(/#\[cfg\((?:all\()?test\b/);
    if (at < 0) return out;
    const start = from + at;
    const open = out.slice(start).search(/[{;]/);
    if (open < 0) return out;
    let end = start + open;
    if (out[end] === '{') {
      for (let depth = 0; end < out.length; end += 1) {
        if (out[end] === '{') depth += 1;
        else if (out[end] === '}') depth -= 1;
        if (depth === 0) break;
      }
    }
    out = out.slice(0, start) + out.slice(end + 1);
    from = start;
  }
}

/** In a module that is written inline `super` is this file. */
function inlineModules(code: string): string {
  return code.replace(/^( *)(?:pub(?:\([a-z]+\))? )?mod \$?\w+ \{\n[\s\S]*?^\1\}/gm, body =>
    body.replaceAll('super::', 'self::'),
  );
}

/** Every path that may lead to another file: of `use` declarations with their trees spread out, and of expressions. */
function* paths(code: string): Generator<string[]> {
  for (const [, tree] of code.matchAll(/\buse\s+([^;]+);/g)) {
    for (const [path] of spread(tree!, [])) yield path;
  }
  const rest = code.replace(/\buse\s+[^;]+;/g, ' ');
  for (const [path] of rest.matchAll(/\b[a-z_][a-z_0-9]*(?:::[A-Za-z_][A-Za-z_0-9]*)+/g)) yield path.split('::');
}

/** The paths of a `use` tree, each with the name it goes by afterwards. */
function* spread(tree: string, before: readonly string[]): Generator<[path: string[], name: string]> {
  const brace = tree.indexOf('{');
  const parts = (text: string) =>
    text
      .split('::')
      .map(part => part.trim())
      .filter(part => part !== '');
  if (brace < 0) {
    const [text, alias] = tree.split(/\s+as\s+/);
    const path = [...before, ...parts(text!)];
    const own = path.at(-1) === 'self' ? path.slice(0, -1) : path;
    yield [own, alias?.trim() ?? own.at(-1) ?? ''];
    return;
  }
  const prefix = [...before, ...parts(tree.slice(0, brace))];
  let depth = 0;
  let start = brace + 1;
  for (let at = start; at < tree.length; at += 1) {
    const sign = tree[at];
    if (sign === '{') depth += 1;
    if (depth === 0 && (sign === ',' || sign === '}')) {
      if (tree.slice(start, at).trim() !== '') yield* spread(tree.slice(start, at), prefix);
      start = at + 1;
    } else if (sign === '}') depth -= 1;
  }
}

/** The file that a path leads to: the longest part of it that is a module, or where that module has the name from. */
function resolve(
  path: readonly string[],
  from: SourceFile,
  modules: ReadonlyMap<string, SourceFile>,
  depth = 0,
): SourceFile | undefined {
  const whole = absolute(path, from, modules);
  if (whole === undefined) return undefined;
  let parts = whole;
  while (!modules.has(parts.join('::')) && parts.length > 0) parts = parts.slice(0, -1);
  const file = modules.get(parts.join('::'));
  const name = whole[parts.length];
  if (file === undefined || name === undefined || file === from || depth > 8) return file;
  const handed = file.handsOn.get(name);
  if (handed === undefined) return file;
  // A name from another crate leads out of this one.
  return resolve([...handed, ...whole.slice(parts.length + 1)], file, modules, depth + 1);
}

/** The path from the crate's root on; `undefined` if it leads into another crate or to something local. */
function absolute(
  path: readonly string[],
  from: SourceFile,
  modules: ReadonlyMap<string, SourceFile>,
): string[] | undefined {
  const [first, ...rest] = path;
  if (first === 'crate') return rest;
  if (first === 'self') return [...from.module, ...rest];
  if (first === 'super') {
    const ups = path.findIndex(part => part !== 'super');
    const up = ups < 0 ? path.length : ups;
    return [...from.module.slice(0, from.module.length - up), ...path.slice(up)];
  }
  return modules.has([...from.module, first].join('::')) ? [...from.module, ...path] : undefined;
}

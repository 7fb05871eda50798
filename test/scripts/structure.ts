/**
 * Holds the sources of the Rust crates against the layout that ARCHITECTURE.md draws, and prints what it checked:
 *
 *     npm test -- structure
 *
 * Arrows between crates and between a crate's rooms point one way, no circle of files is larger than three, no file and
 * no room grows too large, kinds are matched only where they are defined, and messages keep to the style page.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.js';
import { type CrateGraph, circles, crateGraph, type SourceFile } from './rust-uses.js';

/** Crates from the ground up: each may use only crates before it. */
const CRATES = [
  'wire',
  'columns',
  'base',
  'store',
  'net',
  'core',
  'query',
  'api',
  'dashboard',
  'mcp',
  'flight',
  'sdk',
  'cli',
  'node',
  'python',
] as const;
/** Used by tests only. */
const TEST_CRATES = ['testkit', 'minimal'];

/** Rooms within a crate from the ground up: folders or files below `src`; what is not named stands above all of them. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  wire: [
    'write',
    'read',
    'signal',
    'writer',
    'merge',
    'flight',
    'grpc',
    'health',
    'hpack',
    'otap',
    'otlp',
    'status',
    'steps',
    'lib',
  ],
  columns: ['schema', 'column', 'batch', 'decode', 'encode', 'otap', 'lib'],
  store: ['disk', 'file', 'log', 'write', 'lib'],
  net: ['time', 'reload', 'identity', 'encoding', 'grpc', 'tls', 'client', 'access', 'server', 'lib'],
  query: ['filter', 'figures', 'snapshot', 'scan', 'index', 'record', 'answer', 'questions', 'text', 'lib'],
  dashboard: ['files', 'pages', 'viewer', 'lib'],
  mcp: ['page', 'words', 'runs', 'tools', 'hand', 'prompts', 'resources', 'server', 'stdio', 'door', 'lib'],
  flight: ['asked', 'decode', 'sink', 'put', 'get', 'info', 'actions', 'service', 'lib'],
  api: ['body', 'words', 'form', 'own', 'routes', 'threads', 'tail', 'recorder', 'openapi', 'service', 'lib'],
  core: ['key', 'destinations', 'config', 'forward', 'doors', 'library', 'lib'],
};

/** Lines of a file, its inline tests aside. */
const MAX_FILE = 500;
/** Files that use each other. */
const MAX_CIRCLE = 3;
/** What a room directly below some crate's `src` may hold of all Rust lines that are not tests. */
const MAX_ROOM = 0.2;

/** Names of kinds, and the only places that may match them. */
const MATCHED_IN: readonly { readonly name: RegExp; readonly places: RegExp }[] = [
  { name: /\bForm::(?:Live|Sealed)\b/, places: /^store\/(?:log|write)\// },
  // What a kind of destination needs is asked of its Spec; the OpenTelemetry variables can name these two.
  { name: /\b(?:OTLP_GRPC|OTLP_HTTP|STDOUT)\b/, places: /^core\/(?:destinations\/|config\/)/ },
  // What a door is asked, and what it answers, is known to its own file.
  { name: /\b(?:otlp_grpc|otlp_http)\b/, places: /^core\/(?:doors|destinations|config)\// },
  // A varint is written in one place, and read in one.
  { name: /\bas u8 \| 0x80\b/, places: /^wire\/write\.rs$/ },
  { name: /& 0x7f\) <</, places: /^wire\/read\.rs$/ },
];

/** Ways to say things that the style page in CONTRIBUTING.md replaces. */
const PHRASES =
  /\b(?:(?<!there )(?:is|are) no (?!longer|more\b)|look(?:s|ed|ing)? after\b|let(?:s|ting)? go of\b|for ever\b|belongs? into\b|for want of\b)/i;

export async function structure(): Promise<void> {
  const found = readdirSync(join(ROOT, 'crates')).filter(name => !TEST_CRATES.includes(name));
  const unknown = found.filter(name => !(CRATES as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`give these crates a place in CRATES: ${unknown.join(', ')}`);
  const crates = CRATES.filter(name => found.includes(name));
  const graphs = crates.map(name => crateGraph(name, join(ROOT, 'crates', name)));
  const problems = [
    ...crateArrows(crates),
    ...graphs.flatMap(roomArrows),
    ...graphs.flatMap(largeCircles),
    ...graphs.flatMap(longFiles),
    ...rooms(graphs),
    ...graphs.flatMap(matchedElsewhere),
    ...phrases(),
  ];
  if (problems.length > 0) throw new Error(`${problems.length} problem(s) of structure:\n${problems.join('\n')}`);
}

/** Each crate's dependencies on others of ours, tests aside. */
function crateArrows(crates: readonly string[]): string[] {
  const problems: string[] = [];
  for (const crate of crates) {
    const manifest = readFileSync(join(ROOT, 'crates', crate, 'Cargo.toml'), 'utf8').split('[dev-dependencies]')[0]!;
    const uses = [...manifest.matchAll(/^otlp-arrow(-\w+)?(?:\.workspace| = \{)/gm)].map(([, name]) =>
      name === undefined ? 'core' : name.slice(1),
    );
    console.log(`${crate.padEnd(8)} -> ${uses.join(', ') || 'nothing'}`);
    const own = crates.indexOf(crate);
    for (const used of uses) {
      if (crates.indexOf(used) >= own) problems.push(`crate ${crate} may not use ${used}: it stands above it`);
      if (TEST_CRATES.includes(used)) problems.push(`crate ${crate} uses ${used} outside of tests`);
    }
  }
  return problems;
}

const roomOf = (file: SourceFile) => file.name.split('/')[0]!.replace(/\.rs$/, '');

function roomArrows(graph: CrateGraph): string[] {
  const order = ROOMS[graph.crate] ?? [];
  const floor = (room: string) => (order.includes(room) ? order.indexOf(room) : undefined);
  const arrows = new Map<string, string>();
  const byName = new Map(graph.files.map(file => [file.name, file]));
  for (const [name, used] of graph.uses) {
    const from = roomOf(byName.get(name)!);
    for (const [target, path] of used) {
      const to = roomOf(byName.get(target)!);
      if (from !== to) arrows.set(`${from} -> ${to}`, `${graph.crate}/src/${name} uses ${path} of ${target}`);
    }
  }
  if (order.length > 0) console.log(`${graph.crate}: ${[...arrows.keys()].sort().join(', ')}`);
  return [...arrows].flatMap(([arrow, example]) => {
    const [from, to] = arrow.split(' -> ').map(room => floor(room!));
    return from !== undefined && to !== undefined && to > from ? [`upward arrow ${arrow}: ${example}`] : [];
  });
}

function largeCircles(graph: CrateGraph): string[] {
  const large = circles(graph).filter(circle => circle.length > MAX_CIRCLE);
  return large.map(circle => `${graph.crate}: a circle of ${circle.length} files: ${circle.join(' ')}`);
}

function longFiles(graph: CrateGraph): string[] {
  const long = graph.files.filter(file => file.length > MAX_FILE);
  return long.map(file => `${graph.crate}/src/${file.name} has ${file.length} lines, ${MAX_FILE} at most`);
}

function rooms(graphs: readonly CrateGraph[]): string[] {
  const lines = new Map<string, number>();
  let total = 0;
  for (const { crate, files } of graphs) {
    for (const file of files) {
      total += file.lines;
      // Files beside lib.rs are a room of their own together.
      const room = file.name.includes('/') ? `${crate}/src/${roomOf(file)}` : `${crate}/src`;
      lines.set(room, (lines.get(room) ?? 0) + file.lines);
    }
  }
  const share = (count: number) => `${((100 * count) / total).toFixed(1)} %`;
  const largest = [...lines].sort(([, a], [, b]) => b - a);
  console.log(`${total} lines; the largest rooms:`);
  for (const [room, count] of largest.slice(0, 6)) console.log(`  ${room} ${share(count)}`);
  const large = largest.filter(([, count]) => count > MAX_ROOM * total);
  return large.map(([room, count]) => `${room} holds ${share(count)} of all lines, ${100 * MAX_ROOM} % at most`);
}

function matchedElsewhere(graph: CrateGraph): string[] {
  return graph.files.flatMap(file =>
    MATCHED_IN.filter(({ name, places }) => !places.test(`${graph.crate}/${file.name}`) && name.test(file.code)).map(
      ({ name }) =>
        `${graph.crate}/src/${file.name} matches ${name.source}, which belongs to ${graph.crate}'s own room`,
    ),
  );
}

/** Texts that people read: everything but test code. */
function phrases(): string[] {
  const problems: string[] = [];
  const look = (folder: string) => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!/^(?:dist|target|node_modules|tests|benches|fuzz|__pycache__)$/.test(entry.name)) look(path);
      } else if (/\.(?:rs|tsx?|py|md)$/.test(entry.name)) {
        readFileSync(join(ROOT, path), 'utf8')
          .split('\n')
          .forEach((line, at) => {
            const phrase = PHRASES.exec(line);
            if (phrase !== null) problems.push(`${path}:${at + 1} says "${phrase[0].trim()}": ${line.trim()}`);
          });
      }
    }
  };
  for (const folder of ['crates', 'ts/src', 'ts/dashboard/src', 'python/src', 'docs']) look(folder);
  for (const file of ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
    const phrase = PHRASES.exec(readFileSync(join(ROOT, file), 'utf8'));
    if (phrase !== null) problems.push(`${file} says "${phrase[0].trim()}"`);
  }
  return problems;
}

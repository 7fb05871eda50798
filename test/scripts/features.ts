/**
 * Each dependency is compiled once: tests, binary, addon and wheel ask for the same features of it. Our own crates are
 * compiled twice: tests that end a process build them with failpoints, and what is released must have none.
 */
import { run } from './run.js';

/** What is built of one crate alone, by the selection cargo gets for it. */
const BUILDS: Readonly<Record<string, readonly string[]>> = {
  'napi build': ['-p', 'otlp-arrow-node'],
  maturin: ['-p', 'otlp-arrow-python'],
};

type Features = Map<string, Set<string>>;

/** Fails naming each crate that some build wants with other features than `cargo test`, and each build that has failpoints. */
export async function features(): Promise<void> {
  const tests = await selected(['-e', 'normal,build,dev']);
  const builds = new Map<string, Features>();
  for (const [build, selection] of Object.entries(BUILDS)) {
    builds.set(build, await selected(['-e', 'normal,build', ...selection]));
  }
  // The binary is built with all default members selected, of which it needs some crates only.
  const binary = await selected(['-e', 'normal,build', '-p', 'otlp-arrow-cli']);
  const together = await selected(['-e', 'normal,build']);
  builds.set('the binary', new Map([...together].filter(([crate]) => binary.has(crate))));

  const differing: string[] = [];
  const armed: string[] = [];
  for (const [build, wanted] of builds) {
    for (const [crate, sets] of wanted) {
      if (crate.startsWith('otlp-arrow')) {
        if ([...sets].some(set => set.split(',').includes('failpoints'))) armed.push(`${crate}: ${build}`);
        continue;
      }
      // Crates that only this build has are compiled once as well.
      const known = tests.get(crate) ?? sets;
      for (const set of sets) {
        if (known.has(set)) continue;
        differing.push(`${crate}: ${build} wants ${said(set)}, cargo test ${[...known].map(said).join(' or ')}`);
      }
    }
  }
  if (armed.length > 0) throw new Error(`built with failpoints, which end a process:\n${armed.join('\n')}`);
  if (differing.length > 0) {
    throw new Error(
      'these are compiled more than once; give a crate of ours that lacks the feature a dependency with it:\n' +
        differing.join('\n'),
    );
  }
  console.log(`${tests.size} crates, one set of features`);
}

const said = (set: string) => `[${set}]`;

/** The feature sets of every crate in a build. */
async function selected(selection: readonly string[]): Promise<Features> {
  const tree = await run('cargo', ['tree', '--quiet', '--prefix', 'none', '-f', '{p}|{f}', ...selection], {
    quiet: true,
  });
  const found: Features = new Map();
  for (const line of tree.split('\n').filter(line => line.includes('|'))) {
    const [crate, set] = line.replace(' (*)', '').split('|') as [string, string];
    const name = crate.split(' ').slice(0, 2).join(' ');
    found.set(name, (found.get(name) ?? new Set()).add(set.trim()));
  }
  return found;
}

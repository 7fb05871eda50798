/**
 * What whoever embeds the recorder does not pay for: parts that a feature builds in, and what only tests or the SDK's crate
 * need.
 *
 *     npm test -- "parts left out"
 */
import { run } from './run.js';

/** What a crate must not depend on, tests aside, when it is built with these features. */
const WITHOUT: readonly { readonly build: readonly string[]; readonly crates: readonly string[] }[] = [
  {
    build: ['-p', 'otlp-arrow', '--no-default-features'],
    crates: ['otlp-arrow-net', 'hyper', 'h2', 'rustls', 'tokio', 'tonic', 'opentelemetry', 'opentelemetry_sdk'],
  },
  { build: ['-p', 'otlp-arrow'], crates: ['tonic', 'opentelemetry', 'opentelemetry_sdk'] },
  ...['otlp-arrow-cli', 'otlp-arrow-node', 'otlp-arrow-python'].map(crate => ({
    build: ['-p', crate],
    crates: ['tonic', 'opentelemetry', 'opentelemetry_sdk'],
  })),
];

/** Each part alone; with none the tests of `crates/minimal` run, and with all every other test. */
const PARTS = ['doors', 'forward'];

export async function partsLeftOut(): Promise<void> {
  for (const { build, crates } of WITHOUT) {
    const tree = await run('cargo', ['tree', '--quiet', '--prefix', 'none', '-f', '{p}', '-e', 'normal', ...build], {
      quiet: true,
    });
    const needed = new Set(tree.split('\n').map(line => line.split(' ')[0]!));
    if (!needed.has('arrow-array'))
      throw new Error(`cargo tree ${build.join(' ')} shows no arrow-array: is it the tree?`);
    const there = crates.filter(crate => needed.has(crate));
    if (there.length > 0) throw new Error(`${build.join(' ')} builds ${there.join(', ')}, which it must not need`);
    console.log(`${build.join(' ')}: ${needed.size} crates, none of ${crates.join(', ')}`);
  }
  await run('cargo', ['test', '--quiet', '-p', 'otlp-arrow-minimal']);
  // Together with the testkit, so that what it depends on has the features it has in every other build.
  const minimal = ['-p', 'otlp-arrow', '-p', 'otlp-arrow-minimal', '-p', 'otlp-arrow-testkit', '--no-default-features'];
  for (const part of PARTS) {
    const selected = [...minimal, '--features', `otlp-arrow-minimal/${part}`];
    await run('cargo', ['clippy', '--quiet', ...selected, '--', '-D', 'warnings']);
  }
}

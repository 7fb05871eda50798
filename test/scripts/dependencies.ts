/**
 * What may come into a build, by deny.toml: licences, sources, banned crates, crates in two versions. The hosted workflow has
 * cargo-deny read the same file; compiling cargo-deny here would take longer than everything that it checks.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from './run.js';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string | null;
  /** None for our own. */
  readonly source: string | null;
}

/** A ban, or a duplicate that is borne. */
interface Named {
  readonly crate: string;
  readonly reason: string;
}

/** Fails naming every crate that deny.toml does not allow. */
export async function dependencies(): Promise<void> {
  const rules = toml(readFileSync(join(ROOT, 'deny.toml'), 'utf8'));
  const arguments_ = ['metadata', '--format-version', '1', '--locked', '--all-features'];
  const { packages } = JSON.parse(await run('cargo', arguments_, { quiet: true })) as { packages: Package[] };

  const allowed = new Set(rules.get('licenses.allow') as string[]);
  const registries = new Set((rules.get('sources.allow-registry') as string[]).map(url => `registry+${url}`));
  const banned = new Map((rules.get('bans.deny') as Named[]).map(ban => [ban.crate, ban.reason]));
  const borne = new Set((rules.get('bans.skip') as Named[]).map(({ crate }) => crate));

  const problems: string[] = [];
  const versions = new Map<string, string[]>();
  for (const { name, version, license, source } of packages) {
    versions.set(name, [...(versions.get(name) ?? []), version]);
    if (source !== null && !registries.has(source)) problems.push(`${name} ${version} comes from ${source}`);
    if (!satisfied(license ?? '', allowed)) problems.push(`${name} ${version} has the license ${license}`);
    const reason = banned.get(name);
    if (reason !== undefined) problems.push(`${name} is banned: ${reason}`);
  }
  for (const [name, several] of versions) {
    if (several.length > 1 && !borne.has(name)) problems.push(`${name} is there as ${several.join(' and ')}`);
  }
  for (const name of borne) {
    if ((versions.get(name)?.length ?? 0) < 2) problems.push(`bans.skip names ${name}, which is not there twice`);
  }
  if (problems.length > 0) throw new Error(`deny.toml does not allow this:\n${problems.join('\n')}`);
  console.log(`${packages.length} crates, licences, sources and versions as deny.toml wants them`);
}

/** Whether an SPDX expression can be met by what is allowed. `a/b` is how older crates write `a OR b`. */
function satisfied(expression: string, allowed: ReadonlySet<string>): boolean {
  const words = expression.replaceAll('/', ' OR ').match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const either = (): boolean => {
    let met = both();
    while (words[at] === 'OR') {
      at += 1;
      met = both() || met;
    }
    return met;
  };
  const both = (): boolean => {
    let met = one();
    while (words[at] === 'AND') {
      at += 1;
      met = one() && met;
    }
    return met;
  };
  const one = (): boolean => {
    let word = words[at++] ?? '';
    if (word === '(') {
      const met = either();
      at += 1;
      return met;
    }
    if (words[at] === 'WITH') {
      word += ` WITH ${words[at + 1]}`;
      at += 2;
    }
    return allowed.has(word);
  };
  return either() && at === words.length;
}

/** The values of deny.toml under `section.key`: text, flags, numbers, lists of text and of tables in one line. */
function toml(text: string): Map<string, unknown> {
  const values = new Map<string, unknown>();
  // A `#` in quotes is text.
  const bare = text.replaceAll(/("[^"\n]*")|#[^\n]*/g, (_, quoted: string | undefined) => quoted ?? '');
  for (const [, section, body] of bare.matchAll(/^\[([\w.-]+)\]\n([\s\S]*?)(?=^\[[\w.-]+\]\n|$(?![\s\S]))/gm)) {
    for (const [, key, value] of body!.matchAll(/^([\w-]+) = (\[[\s\S]*?^\]|\[[^\n]*\]|[^\n]+)$/gm)) {
      const json = value!
        .replaceAll(
          /("[^"\n]*")|([\w-]+)\s*=\s*/g,
          (_, quoted: string | undefined, name: string) => quoted ?? `"${name}":`,
        )
        .replaceAll(/,(\s*[\]}])/g, '$1');
      values.set(`${section}.${key}`, JSON.parse(json));
    }
  }
  return values;
}

/** Code blocks of the documents, which are tests: `<!-- test: name -->` stands above each. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every Markdown file that is part of the repository, as a path from its root. */
export function documents(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed.split('\0').filter(name => name !== '');
}

/** The text of a document. */
export function read(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

/** The marked code blocks of a document by name. */
export function snippets(document: string): Map<string, string> {
  const blocks = read(document).matchAll(/<!-- test: (\S+) -->\r?\n```\w+\r?\n([\s\S]*?)```/g);
  return new Map([...blocks].map(([, name, code]) => [name!, code!.replaceAll('\r\n', '\n')]));
}

/** A snippet up to its last line, which makes the provider. */
export function withoutProvider(code: string): string {
  return code.trimEnd().split('\n').slice(0, -1).join('\n');
}

/** The code blocks of a section of the README. */
export function blocks(section: string, language: string): string[] {
  const text = read('README.md').replaceAll('\r\n', '\n').split(`\n## ${section}\n`)[1]!.split('\n## ')[0]!;
  return text
    .split(`\`\`\`${language}\n`)
    .slice(1)
    .map(rest => rest.split('```')[0]!);
}

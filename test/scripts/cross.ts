/** Type checks for Windows and macOS on any machine, without their linkers (real runs are the workflows' part). */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.js';

const TARGETS = ['x86_64-pc-windows-msvc', 'aarch64-apple-darwin'] as const;

/** Checks the workspace for each target that can be installed; says which could not. */
export async function crossChecks(): Promise<string | undefined> {
  const missing: string[] = [];
  for (const target of TARGETS) {
    try {
      await run('rustup', ['target', 'add', target], { quiet: true });
    } catch {
      missing.push(target);
      continue;
    }
    const tools = standInTools();
    try {
      await run('cargo', ['check', '--quiet', '--target', target], { env: standIn(target, tools) });
    } finally {
      rmSync(tools, { recursive: true, force: true });
    }
  }
  if (missing.length === 0) return undefined;
  return `skipped: the standard library of ${missing.join(' and ')} could not be installed`;
}

/** C dependencies are compiled by build scripts even for a check: tools that only create the file asked for are enough. */
function standInTools(): string {
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-cross-'));
  const script = [
    '#!/bin/sh',
    'case "$1" in --version|-v|-E) echo "stand-in 1.0"; exit 0;; esac',
    'previous=',
    'for argument in "$@"; do',
    '  case "$previous" in -o) : > "$argument";; esac',
    '  case "$argument" in',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell, not TypeScript
    '    -Fo*) : > "${argument#-Fo}";;',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell, not TypeScript
    '    -out:*) : > "${argument#-out:}";;',
    '    *.a|*.lib) : > "$argument";;',
    '  esac',
    '  previous=$argument',
    'done',
  ].join('\n');
  for (const name of ['cc', 'ar']) {
    const path = join(folder, name);
    writeFileSync(path, script);
    chmodSync(path, 0o755);
  }
  return folder;
}

function standIn(target: string, tools: string): Record<string, string> {
  const key = target.replaceAll('-', '_');
  return {
    [`CC_${key}`]: join(tools, 'cc'),
    [`CXX_${key}`]: join(tools, 'cc'),
    [`AR_${key}`]: join(tools, 'ar'),
  };
}

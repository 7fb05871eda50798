/**
 * The Rust suites as Windows programs, run by Wine: what a type check cannot see, such as a rename over an open file or
 * the sync of a directory. Wine does not enforce mandatory locks; real Windows is the workflows' part.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.js';

const TARGET = 'x86_64-pc-windows-gnu';
const COMPILER = 'x86_64-w64-mingw32-gcc';
/** The node crate needs a libnode to link with, which this target does not have. */
const CRATES = ['wire', 'columns', 'base', 'store', 'net', 'query', 'sdk', 'cli']
  .map(name => `otlp-arrow-${name}`)
  .concat('otlp-arrow');

/** Rust's standard library asks this library for random numbers; Wine 8 does not have it. */
const RANDOM = `#include <windows.h>
#include <ntsecapi.h>

BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    while (size > 0) {
        ULONG part = size < 0x1000000 ? (ULONG)size : 0x1000000;
        if (!RtlGenRandom(data, part))
            return FALSE;
        data += part;
        size -= part;
    }
    return TRUE;
}
`;

/** Runs the suites; returns why not where Wine or the compiler is missing. */
export async function windowsUnderWine(): Promise<string | undefined> {
  for (const tool of ['wine', COMPILER]) {
    try {
      await run(tool, ['--version'], { quiet: true });
    } catch {
      return `skipped: there is no ${tool} (Debian: apt-get install wine wine64 gcc-mingw-w64-x86-64)`;
    }
  }
  await run('rustup', ['target', 'add', TARGET], { quiet: true });
  const folder = mkdtempSync(join(tmpdir(), 'otlp-arrow-wine-'));
  const env = {
    WINEPREFIX: join(folder, 'prefix'),
    WINEDEBUG: '-all',
    [`CARGO_TARGET_${TARGET.toUpperCase().replaceAll('-', '_')}_RUNNER`]: 'wine',
  };
  try {
    await run('wineboot', ['--init'], { env, quiet: true });
    const [source, library] = [join(folder, 'random.c'), join(folder, 'bcryptprimitives.dll')];
    writeFileSync(source, RANDOM);
    await run(COMPILER, ['-O2', '-shared', '-o', library, source, '-ladvapi32']);
    copyFileSync(library, join(env.WINEPREFIX, 'drive_c/windows/system32/bcryptprimitives.dll'));
    const crates = CRATES.flatMap(name => ['-p', name]);
    await run('cargo', ['test', '--target', TARGET, '--quiet', '--no-fail-fast', ...crates], { env });
  } finally {
    await run('wineserver', ['--kill'], { env, quiet: true }).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
  return undefined;
}

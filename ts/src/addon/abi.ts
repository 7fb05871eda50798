import { closeSync, openSync, readSync } from 'node:fs';

/** Where the name of the loader stands in a Linux program: behind its headers. */
const HEADERS = 4096;

const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, () => string>>> = {
  linux: () => (isMusl() ? 'musl' : 'gnu'),
  win32: () => 'msvc',
};
const library = LIBRARIES[process.platform]?.();

/** What the packages of the platforms are named by, such as `linux-x64-gnu`. */
export const ABI = [process.platform, process.arch, library].filter(part => part !== undefined).join('-');

/** The same for people. */
export const PLATFORM = `${process.platform} ${process.arch}${library ? ` (${library})` : ''}`;

/** Whether this process runs on musl: by the loader its program names, which is quicker to read than the report. */
function isMusl(): boolean {
  const loader = /\/ld-(musl|linux)/.exec(headers())?.[1];
  return loader ? loader === 'musl' : glibc() === undefined;
}

function headers(): string {
  try {
    const program = openSync(process.execPath, 'r');
    try {
      const bytes = Buffer.alloc(HEADERS);
      return bytes.toString('latin1', 0, readSync(program, bytes, 0, HEADERS, 0));
    } finally {
      closeSync(program);
    }
  } catch {
    return '';
  }
}

/** The version of glibc, if this process runs on it. */
function glibc(): string | undefined {
  // Without the network, whose names take time to look up; the setting is the program's.
  const { report } = process as { report: NodeJS.ProcessReport & { excludeNetwork?: boolean } };
  const excluded = report.excludeNetwork;
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime;
  } finally {
    if (excluded !== undefined) report.excludeNetwork = excluded;
  }
}

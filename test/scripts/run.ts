/** Running other programs: every script here goes through this one place. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root; the suites of vitest read this file as it is, not as it was compiled. */
export const ROOT = fileURLToPath(
  new URL(import.meta.url.includes('/test/dist/') ? '../../../' : '../../', import.meta.url),
);

const windows = process.platform === 'win32';

/** Python of the project's own virtual environment. */
export const VENV = join(ROOT, '.venv');
export const PYTHON = join(VENV, windows ? 'Scripts/python.exe' : 'bin/python');

/** A program of the project's virtual environment, such as `pytest`. */
export function venvBin(name: string): string {
  return join(VENV, windows ? `Scripts/${name}.exe` : `bin/${name}`);
}

/** The standalone binary as a profile builds it. */
export function binary(profile: 'debug' | 'release'): string {
  const name = windows ? 'otlp-arrow.exe' : 'otlp-arrow';
  const targets = [join(ROOT, 'target', hostTriple(), profile, name), join(ROOT, 'target', profile, name)];
  return targets.find(existsSync) ?? targets[0]!;
}

/** The Rust triple of this machine. */
export function hostTriple(): string {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  if (windows) return `${arch}-pc-windows-msvc`;
  if (process.platform === 'darwin') return `${arch}-apple-darwin`;
  const musl = !(process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime;
  return `${arch}-unknown-linux-${musl ? 'musl' : 'gnu'}`;
}

/** Options of {@link run}. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Shows output only if the command fails. */
  readonly quiet?: boolean;
}

/** The command ended with another status than 0. */
export class CommandFailed extends Error {
  constructor(
    readonly command: string,
    readonly status: number | NodeJS.Signals,
    readonly output: string,
  ) {
    super(`${command} ended with ${status}`);
    this.name = 'CommandFailed';
  }
}

/** Runs a command to its end. Resolves with what it printed; rejects with {@link CommandFailed}. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    // npm's own programs are .cmd files on Windows, which only a shell can start.
    const shell = windows && !existsSync(command) && !command.endsWith('.exe');
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell,
    });
    const output: string[] = [];
    const take = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
      output.push(chunk.toString());
      if (!options.quiet) stream.write(chunk);
    };
    child.stdout.on('data', take(process.stdout));
    child.stderr.on('data', take(process.stderr));
    child.on('error', error => reject(new Error(`${command} cannot be started: ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => {
      const text = output.join('');
      if (code === 0) return resolve(text);
      if (options.quiet) process.stderr.write(text.slice(-20_000));
      reject(new CommandFailed([command, ...args].join(' '), signal ?? code ?? -1, text));
    });
  });
}

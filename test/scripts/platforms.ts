/** The platforms there are packages for, from `napi.targets` of package.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.js';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly repository: object;
  readonly engines: object;
  readonly napi: { readonly binaryName: string; readonly packageName: string; readonly targets: readonly string[] };
  readonly [key: string]: unknown;
}

export const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

/** One target, in the words of npm. */
export interface Platform {
  /** The Rust triple. */
  readonly triple: string;
  /** Such as `linux-x64-gnu`: in file and package names. */
  readonly abi: string;
  readonly os: string;
  readonly cpu: string;
  readonly libc: 'glibc' | 'musl' | undefined;
}

const CPU: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' };

/** Reads a Rust triple. */
export function platform(triple: string): Platform {
  const cpu = CPU[triple.split('-')[0] ?? ''];
  if (!cpu || !manifest.napi.targets.includes(triple)) {
    throw new Error(`there is no package for ${triple}: use one of ${manifest.napi.targets.join(', ')}`);
  }
  if (triple.includes('-apple-')) return { triple, abi: `darwin-${cpu}`, os: 'darwin', cpu, libc: undefined };
  if (triple.includes('-windows-')) return { triple, abi: `win32-${cpu}-msvc`, os: 'win32', cpu, libc: undefined };
  const musl = triple.endsWith('-musl');
  return { triple, abi: `linux-${cpu}-${musl ? 'musl' : 'gnu'}`, os: 'linux', cpu, libc: musl ? 'musl' : 'glibc' };
}

/** The file name of a platform's addon. */
export const addonFile = ({ abi }: Platform): string => `${manifest.napi.binaryName}.${abi}.node`;

/** The package of a platform. */
export const packageName = ({ abi }: Platform): string => `${manifest.napi.packageName}-${abi}`;

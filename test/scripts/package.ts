/**
 * Makes the npm packages and the standalone binary of one platform:
 *
 *     npm run package                              for this machine
 *     npm run package -- --target <rust triple>    for another; `--use-napi-cross` and `-x` go to napi
 *     npm run package -- --built                   packs the addon in ts/native as it is, without a binary
 *     npm run package -- --debug                   by the dev profile
 *
 * Writes `npm/<platform>/` and into `dist/` the packed root and platform packages and `otlp-arrow-<platform>`.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.js';
import { addonFile, manifest, type Platform, packageName, platform } from './platforms.js';
import { hostTriple, ROOT, run } from './run.js';
import { dashboard } from './setup.js';

const DIST = join(ROOT, 'dist');
/** What an npm package and the standalone binary may weigh. */
const PACKAGE_MB = 8;
const BINARY_MB = 13;
const MAIN = 'index.cjs';
/** What of ts/native is published. */
const NATIVE = ['addon.cjs', 'addon-bun.cjs', 'addon-webpack.cjs', 'binding.d.cts'].map(name => `ts/native/${name}`);

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: hostTriple() },
    built: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
    'use-napi-cross': { type: 'boolean', default: false },
    x: { type: 'boolean', short: 'x', default: false },
  },
});
const target = platform(values.target);
mkdirSync(DIST, { recursive: true });
if (!values.built) await build(target);
const packed = await pack([platformPackage(target), await rootPackage()]);
for (const file of packed) size(file, PACKAGE_MB);

/** Prints the size of a file; a release may not be larger than was promised. */
function size(file: string, limitMb: number): void {
  const mb = statSync(file).size / 1e6;
  console.log(`${file}  ${mb.toFixed(1)} MB`);
  const release = !values.built && !values.debug;
  if (release && mb > limitMb) throw new Error(`${file} has ${mb.toFixed(1)} MB: at most ${limitMb} are promised`);
}

async function build({ triple, abi, os }: Platform): Promise<void> {
  const cross = [values['use-napi-cross'] && '--use-napi-cross', values.x && '-x'].filter(flag => flag !== false);
  const profile = values.debug ? [] : ['--release'];
  await dashboard();
  await run('npm', ['run', '--silent', 'build:native', '--', '--target', triple, ...profile, ...cross]);
  // The standalone binary is not cross-linked by napi: zig does it where napi used zig.
  const cargo = values.x && os !== 'win32' ? 'zigbuild' : 'build';
  await run('cargo', [cargo, '--quiet', '--bin', manifest.napi.binaryName, '--target', triple, ...profile]);
  const suffix = os === 'win32' ? '.exe' : '';
  const built = join(
    ROOT,
    'target',
    triple,
    values.debug ? 'debug' : 'release',
    `${manifest.napi.binaryName}${suffix}`,
  );
  const file = join(DIST, `${manifest.napi.binaryName}-${abi}${suffix}`);
  copyFileSync(built, file);
  size(file, BINARY_MB);
}

/** Writes the package of a platform and returns its folder. */
function platformPackage(of: Platform): string {
  const addon = join(ROOT, 'ts/native', addonFile(of));
  if (!existsSync(addon)) throw new Error(`${addon} is missing: run this without --built`);
  const folder = join(ROOT, 'npm', of.abi);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(addon, join(folder, addonFile(of)));
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  writeFileSync(
    join(folder, 'README.md'),
    `The compiled addon of [otlp-arrow](https://www.npmjs.com/package/otlp-arrow) for ${of.abi}.\n`,
  );
  writeFileSync(join(folder, MAIN), main(of));
  const { version, license, repository, engines } = manifest;
  const { os, cpu, libc } = of;
  write(join(folder, 'package.json'), {
    name: packageName(of),
    version,
    description: `The compiled addon of otlp-arrow for ${of.abi}`,
    license,
    repository,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    main: MAIN,
    files: [MAIN, addonFile(of)],
  });
  return folder;
}

/**
 * Says where the addon is instead of loading it: tools that copy what a program needs know a path that is put together
 * like this, and those that make one file of many, some of which follow it, refuse an addon.
 */
function main(of: Platform): string {
  return `'use strict';\nmodule.exports = require('path').join(__dirname, '${addonFile(of)}');\n`;
}

/** Writes the root package as it is published, with its platforms as optional dependencies, and returns its folder. */
async function rootPackage(): Promise<string> {
  const folder = join(DIST, 'package');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'ts/native'), { recursive: true });
  cpSync(join(ROOT, 'ts/dist'), join(folder, 'ts/dist'), { recursive: true });
  await bundle(join(folder, 'ts/dist'));
  for (const file of [...NATIVE, 'README.md', 'LICENSE']) {
    copyFileSync(join(ROOT, file), join(folder, file));
  }
  const {
    devDependencies: _,
    scripts: __,
    ...published
  } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
  // By this one the suites reach what is not exported.
  const { '#dist/*': ___, ...imports } = published.imports as Record<string, unknown>;
  const platforms = manifest.napi.targets.map(triple => [packageName(platform(triple)), manifest.version]);
  write(join(folder, 'package.json'), { ...published, imports, optionalDependencies: Object.fromEntries(platforms) });
  return folder;
}

/** Packs folders into `dist/` and returns the files. */
async function pack(folders: readonly string[]): Promise<string[]> {
  const output = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', DIST, ...folders], {
    quiet: true,
  });
  const listed = JSON.parse(output.slice(output.indexOf('['))) as { filename: string }[];
  return listed.map(({ filename }) => join(DIST, filename));
}

function write(file: string, content: object): void {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}

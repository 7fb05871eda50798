/** Bundlers, and tools that copy what a program needs: what they wrote runs in another folder, and records. */
import { cpSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { snippets } from '../node/markdown.js';
import { directory, leaveOut, readDirectory } from '../node/support.js';
import { ADDON_FILE, ADDON_PACKAGE, away, bin, hidden, type Place, place } from '../package/packed.js';
import { program } from './guests.js';

const ALL = process.env.GUESTS === 'all';
const documented = snippets('docs/integrations.md');
const said = (name: string): string => {
  const text = documented.get(`bundle/${name}`);
  if (text === undefined) throw new Error(`docs/integrations.md has no snippet named bundle/${name}`);
  return text;
};

const APP = `
import { OtlpLibrary } from 'otlp-arrow';
(async () => {
  const library = await OtlpLibrary.open();
  await library.exportTraces([{
    name: 'bundled', kind: 1, spanContext: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
    startTime: [1, 2], endTime: [3, 4], status: { code: 0 }, attributes: { 'http.route': '/' }, links: [], events: [],
    resource: { attributes: {} }, instrumentationScope: { name: 's' },
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  }]);
  const table = await library.read('traces');
  console.log(table.numRows, table.get(0).attributes['http.route']);
})();
`;
const OUTPUT = { code: 0, signal: null, stdout: '1 /\n' };

let made: Place | string;
beforeAll(async () => {
  const long = [
    'nft-of-2025@npm:@vercel/nft@0.30.3',
    'webpack@5',
    '@rspack/core@2',
    'rollup@4',
    '@rollup/plugin-commonjs',
    '@rollup/plugin-node-resolve',
    '@vercel/ncc@0.45',
    'tsup@8',
    'typescript@5',
  ];
  const bun = process.platform === 'linux' ? [`@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}@1`] : [];
  made = await place(['esbuild@0.28', '@vercel/nft@1', '@electron/asar@4', ...(ALL ? [...long, ...bun] : [])]);
  if (typeof made !== 'string') writeFileSync(join(made.folder, 'app.mjs'), APP);
}, 240_000);
afterAll(() => {
  if (typeof made !== 'string') made.remove();
}, 60_000);

/** Runs what was built, by Node.js unless it is a program of its own, and expects its record. */
async function records(folder: string, file: string): Promise<void> {
  const outputDir = directory();
  const env = { OTLP_ARROW_OUTPUT_DIR: outputDir };
  const alone = !/js$/.test(file);
  const { seen, stderr } = await program(join(folder, file), { cwd: folder, env, ...(alone ? { node: 'env' } : {}) });
  expect(seen, stderr).toEqual(OUTPUT);
  expect((await readDirectory(outputDir, 'traces')).map(row => row.name)).toEqual(['bundled']);
}

/** A hard link: the addon is large, and its real place is hidden. */
function put(addon: string, file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  linkSync(addon, file);
}

/** Links to the packages of a place, as installed beside what runs. */
const installBeside = (folder: string): void =>
  symlinkSync(join((made as Place).folder, 'node_modules'), join(folder, 'node_modules'), 'junction');

interface Bundler {
  readonly name: string;
  readonly long?: boolean;
  /** Writes into a folder and returns the name of the file to run. */
  readonly build: (place: Place, out: string) => Promise<string>;
  /** What the error says of it. */
  readonly remedy: RegExp;
}

/** A script that runs where the tools are installed. */
async function script({ folder, node }: Place, code: string): Promise<void> {
  const file = join(folder, 'build.mjs');
  writeFileSync(file, code);
  const { stderr } = await node(file);
  expect(stderr).not.toContain('otlp-arrow');
}

const esbuild = (format: 'esm' | 'cjs', more = ''): Bundler['build'] => {
  return async (place, out) => {
    const file = `main.${format === 'esm' ? 'mjs' : 'cjs'}`;
    const options = `entryPoints: ['app.mjs'], bundle: true, platform: 'node', format: '${format}'`;
    await script(
      place,
      `import { build } from 'esbuild';\nawait build({ ${options}, outfile: ${JSON.stringify(join(out, file))} ${more} });`,
    );
    return file;
  };
};
const byRolldown = (format: 'esm' | 'cjs'): Bundler['build'] => {
  return async ({ folder }, out) => {
    const file = `main.${format === 'esm' ? 'mjs' : 'cjs'}`;
    const bundle = await rolldown({ input: join(folder, 'app.mjs'), platform: 'node', logLevel: 'silent' });
    await bundle.write({ file: join(out, file), format, codeSplitting: false });
    await bundle.close();
    return file;
  };
};
/** Some bundlers write CommonJS without the place of a module. */
const nowhere: Bundler['build'] = async ({ folder }, out) => {
  const transform = { define: { 'import.meta.url': 'undefined' } };
  const bundle = await rolldown({ input: join(folder, 'app.mjs'), platform: 'node', transform, logLevel: 'silent' });
  await bundle.write({ file: join(out, 'main.cjs'), format: 'cjs', codeSplitting: false });
  await bundle.close();
  return 'main.cjs';
};
const byRollup = (format: 'es' | 'cjs'): Bundler['build'] => {
  return async (place, out) => {
    const file = `main.${format === 'es' ? 'mjs' : 'cjs'}`;
    await script(
      place,
      `import { rollup } from 'rollup';
import commonjs from '@rollup/plugin-commonjs';
import nodeResolve from '@rollup/plugin-node-resolve';
const bundle = await rollup({ input: 'app.mjs', plugins: [nodeResolve(), commonjs()], onwarn: () => {} });
await bundle.write({ file: ${JSON.stringify(join(out, file))}, format: '${format}', inlineDynamicImports: true });`,
    );
    return file;
  };
};
const byWebpack = (tool: string, options: string): Bundler['build'] => {
  return async (place, out) => {
    const file = options.includes('module: true') ? 'main.mjs' : 'main.cjs';
    await script(
      place,
      `${tool}
const options = { mode: 'production', target: 'node20', entry: './app.mjs', context: ${JSON.stringify(place.folder)} };
const output = { path: ${JSON.stringify(out)}, filename: '${file}' };
const stats = await new Promise((resolve, reject) => {
  pack({ ...options, ${options.replace('output: {', 'output: { ...output,')} }, (error, stats) => (error ? reject(error) : resolve(stats)));
});
const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
if (errors.length + warnings.length > 0) throw new Error(JSON.stringify([errors, warnings]));`,
    );
    return file;
  };
};
const byTsup: Bundler['build'] = async (place, out) => {
  await script(
    place,
    `import { build } from 'tsup';
const output = { format: ['cjs'], platform: 'node', outDir: ${JSON.stringify(out)}, outExtension: () => ({ js: '.cjs' }) };
await build({ entry: { main: 'app.mjs' }, ...output, noExternal: [/./], config: false, silent: true });`,
  );
  return 'main.cjs';
};
const byNcc: Bundler['build'] = async (place, out) => {
  await place.node(bin(place, '@vercel/ncc', 'ncc'), ['build', 'app.mjs', '--out', out, '--quiet']);
  return 'index.mjs';
};
const WEBPACK = "import pack from 'webpack';";
const RSPACK = "import { rspack as pack } from '@rspack/core';";
const MODULE = "experiments: { outputModule: true }, output: { module: true, chunkFormat: 'module' }";

const BUNDLERS: readonly Bundler[] = [
  { name: 'esbuild, ESM', build: esbuild('esm'), remedy: /esbuild.*--external:otlp-arrow/ },
  { name: 'esbuild, CommonJS', build: esbuild('cjs'), remedy: /esbuild.*--external:otlp-arrow/ },
  { name: 'esbuild, minified', build: esbuild('cjs', ', minify: true'), remedy: /--external:otlp-arrow/, long: true },
  { name: 'rolldown, ESM', build: byRolldown('esm'), remedy: /rolldown: external: \['otlp-arrow'\]/, long: true },
  { name: 'rolldown, CommonJS', build: byRolldown('cjs'), remedy: /rolldown: external: \['otlp-arrow'\]/ },
  { name: 'rolldown, without a place', build: nowhere, remedy: /rolldown: external: \['otlp-arrow'\]/ },
  { name: 'Rollup, ESM', build: byRollup('es'), remedy: /Rollup.*external: \['otlp-arrow'\]/, long: true },
  { name: 'Rollup, CommonJS', build: byRollup('cjs'), remedy: /Rollup.*external: \['otlp-arrow'\]/, long: true },
  {
    name: 'webpack',
    build: byWebpack(WEBPACK, 'output: {}'),
    remedy: /webpack.*'node-commonjs otlp-arrow'/,
    long: true,
  },
  {
    name: 'webpack, ESM',
    build: byWebpack(WEBPACK, MODULE),
    remedy: /webpack.*'node-commonjs otlp-arrow'/,
    long: true,
  },
  { name: 'ncc', build: byNcc, remedy: /ncc: -e otlp-arrow/, long: true },
  { name: 'tsup', build: byTsup, remedy: /tsup.*--external otlp-arrow/, long: true },
  { name: 'Rspack', build: byWebpack(RSPACK, 'output: {}'), remedy: /Rspack.*'node-commonjs otlp-arrow'/, long: true },
];

describe('inside a bundle', () => {
  test.each(BUNDLERS.filter(({ long }) => ALL || !long))(
    '$name: the addon is found beside it, or the error says what to do',
    async ({ build, remedy }) => {
      const tools = made as Place;
      const out = directory();
      const file = await build(tools, out);
      const addon = join(tools.folder, 'packages-away', ADDON_PACKAGE, ADDON_FILE);
      await hidden(tools, async () => {
        const [inPackage, beside, alone] = [away(out), away(out), away(out)];
        try {
          cpSync(join(dirname(addon), 'package.json'), join(inPackage, 'node_modules', ADDON_PACKAGE, 'package.json'));
          put(addon, join(inPackage, 'node_modules', ADDON_PACKAGE, ADDON_FILE));
          await records(inPackage, file);
          put(addon, join(beside, ADDON_FILE));
          await records(beside, file);
          const { seen, stderr } = await program(join(alone, file), { cwd: alone });
          expect(seen.code).toBe(1);
          expect(stderr).toMatch(/otlp-arrow is part of a bundle, .* is not where that runs/);
          expect(stderr).toContain(`put ${ADDON_FILE} of ${ADDON_PACKAGE} into the folder of the bundle`);
          expect(stderr).toMatch(remedy);
        } finally {
          for (const folder of [inPackage, beside, alone]) rmSync(folder, { recursive: true, force: true });
        }
      });
    },
    180_000,
  );
});

describe('as docs/integrations.md says', () => {
  /** Does what is said in the folder with the app, and runs what came of it with the packages beside. */
  async function follow(work: (place: Place) => Promise<unknown>, file: string): Promise<void> {
    const tools = made as Place;
    const dist = join(tools.folder, 'dist');
    rmSync(dist, { recursive: true, force: true });
    await work(tools);
    const moved = away(dist);
    try {
      installBeside(moved);
      await records(moved, file);
    } finally {
      rmSync(moved, { recursive: true, force: true });
    }
  }

  test('esbuild', async () => {
    const [npx, name, ...args] = said('esbuild').trim().split(' ');
    expect(npx).toBe('npx');
    await follow(tools => tools.node(bin(tools, name!), args), 'app.cjs');
  });

  test('rollup, by rolldown', async () => {
    await follow(async ({ folder }) => {
      const file = join(folder, 'rollup.config.mjs');
      writeFileSync(file, said('rollup'));
      const { default: config } = await import(pathToFileURL(file).href);
      const bundle = await rolldown({ ...config, input: join(folder, config.input), platform: 'node' });
      await bundle.write({ ...config.output, file: join(folder, config.output.file) });
      await bundle.close();
    }, 'app.mjs');
  });

  // Not left out, but not of the share: what is skipped has a reason.
  const long = ALL ? test : undefined;

  long?.('rollup', async () => {
    await follow(async tools => {
      writeFileSync(join(tools.folder, 'rollup.config.mjs'), said('rollup'));
      await tools.node(bin(tools, 'rollup'), ['-c', 'rollup.config.mjs']);
    }, 'app.mjs');
  });

  long?.each([WEBPACK, RSPACK])('webpack: %s', async tool => {
    await follow(async tools => {
      writeFileSync(join(tools.folder, 'webpack.config.mjs'), said('webpack'));
      await script(
        tools,
        `${tool}\nimport config from './webpack.config.mjs';
await new Promise((resolve, reject) => pack({ ...config, mode: 'production', output: { filename: 'app.cjs' } }, (error, stats) => (error || stats.hasErrors() ? reject(error ?? stats.toString()) : resolve())));`,
      );
    }, 'app.cjs');
  });

  long?.('ncc', async () => {
    const [name, ...args] = said('ncc').trim().split(' ');
    await follow(tools => tools.node(bin(tools, '@vercel/ncc', name!), args), 'index.mjs');
  });

  // Bun comes from the registry for Linux; its package for others is found by a script at its installation.
  (process.platform === 'linux' ? long : undefined)?.(
    'bun: alone in an empty folder',
    async () => {
      const tools = made as Place;
      const [words, name] = [said('bun').trim().split(' '), readdirSync(join(tools.folder, 'node_modules/@oven'))[0]!];
      expect(words[0]).toBe('bun');
      mkdirSync(join(tools.folder, 'dist'), { recursive: true });
      const bun = join(tools.folder, 'node_modules/@oven', name, 'bin/bun');
      const built = await program(bun, { cwd: tools.folder, args: words.slice(1), node: 'env' });
      expect(built.seen.code, built.stderr).toBe(0);
      const alone = away(join(tools.folder, 'dist'));
      try {
        await hidden(tools, () => records(alone, 'app'));
      } finally {
        rmSync(alone, { recursive: true, force: true });
      }
    },
    120_000,
  );

  test('asar: what is packed leaves the addon outside, where a program in the archive finds it', async () => {
    const tools = made as Place;
    const { asarUnpack } = JSON.parse(said('asar')) as { asarUnpack: [string] };
    const [app, resources] = [directory(), directory()];
    // The program is a bundle in the archive, as those of electron-vite and electron-forge are.
    const file = await esbuild('cjs')(tools, app);
    const addon = join('node_modules', ADDON_PACKAGE, ADDON_FILE);
    put(join(tools.folder, addon), join(app, addon));
    const archive = join(resources, 'app.asar');
    await script(
      tools,
      `import { createPackageWithOptions, extractAll, listPackage } from '@electron/asar';
await createPackageWithOptions(${JSON.stringify(app)}, ${JSON.stringify(archive)}, { unpack: ${JSON.stringify(asarUnpack[0])} });
if (!listPackage(${JSON.stringify(archive)}).some(name => name.endsWith('main.cjs'))) throw new Error('no main.cjs');`,
    );
    expect(readdirSync(dirname(join(resources, 'app.asar.unpacked', addon)))).toEqual([ADDON_FILE]);
    // Electron itself is not in the registry: what it tells a program about its place is.
    const started = directory();
    cpSync(join(app, file), join(started, file));
    writeFileSync(join(started, 'electron.cjs'), `process.resourcesPath = ${JSON.stringify(resources)};`);
    const outputDir = directory();
    await hidden(tools, async () => {
      const how = { cwd: started, env: { OTLP_ARROW_OUTPUT_DIR: outputDir } };
      const { seen, stderr } = await program(join(started, file), how, ['--require', join(started, 'electron.cjs')]);
      expect(seen, stderr).toEqual(OUTPUT);
    });
    expect((await readDirectory(outputDir, 'traces')).map(row => row.name)).toEqual(['bundled']);
  }, 60_000);
});

describe('tools that copy what a program needs', () => {
  const common = APP.replace(/import (.*) from (.*);/, 'const $1 = require($2);');
  const traced = [
    { name: 'ESM', tool: '@vercel/nft', file: 'app.mjs', code: APP, mixedModules: false },
    { name: 'mixed, as in Next.js', tool: '@vercel/nft', file: 'app.mjs', code: APP, mixedModules: true, long: true },
    { name: 'CommonJS', tool: '@vercel/nft', file: 'app.cjs', code: common, mixedModules: false, long: true },
    // That of Nitro 3 and older platforms, which does not know createRequire in ECMAScript modules.
    { name: 'of 2025', tool: 'nft-of-2025', file: 'app.mjs', code: APP, mixedModules: false, long: true },
  ];
  test.each(traced.filter(({ long }) => ALL || !long))(
    '@vercel/nft, $name',
    async ({ tool, file, code, mixedModules }) => {
      const tools = made as Place;
      writeFileSync(join(tools.folder, file), code);
      const list = mkdtempSync(join(tmpdir(), 'otlp-arrow-traced-'));
      try {
        await script(
          tools,
          `import { nodeFileTrace } from '${tool}';
import { linkSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
const { fileList } = await nodeFileTrace(['${file}'], { mixedModules: ${mixedModules} });
for (const name of fileList) {
  const copy = join(${JSON.stringify(list)}, name);
  mkdirSync(dirname(copy), { recursive: true });
  linkSync(name, copy);
}`,
        );
        await hidden(tools, () => records(list, file));
      } finally {
        rmSync(list, { recursive: true, force: true });
      }
    },
    180_000,
  );
});

describe('two copies of the package', () => {
  test('that record to one directory in one process lose nothing, and Node.js warns once of them', async () => {
    const tools = made as Place;
    const out = directory();
    const file = await esbuild('esm', ", external: ['apache-arrow']")(tools, out);
    const [bundled, moved] = [join(out, file), away(out)];
    try {
      // Each with an addon of its own: not the same file.
      const addon = join(tools.folder, 'node_modules', ADDON_PACKAGE, ADDON_FILE);
      cpSync(addon, join(moved, ADDON_FILE));
      installBeside(moved);
      cpSync(bundled, join(moved, 'second.mjs'));
      const both = APP.replace(/}\)\(\);\n$/, '  await import("./second.mjs");\n})();\n');
      writeFileSync(join(moved, 'first.mjs'), both);
      const outputDir = directory();
      const how = { cwd: moved, env: { OTLP_ARROW_OUTPUT_DIR: outputDir } };
      const { seen, stderr } = await program(join(moved, 'first.mjs'), how);
      expect(seen, stderr).toEqual({ code: 0, signal: null, stdout: '1 /\n2 /\n' });
      expect(stderr.match(/\[OTLP_ARROW_COPIES\] Warning: otlp-arrow is here twice/g), stderr).toHaveLength(1);
      expect(await readDirectory(outputDir, 'traces')).toHaveLength(2);
      const apart = { ...how, env: { OTLP_ARROW_OUTPUT_DIR: join(outputDir, 'one') } };
      const single = await program(join(moved, 'second.mjs'), apart);
      expect([single.seen, single.stderr]).toEqual([OUTPUT, '']);
    } finally {
      rmSync(moved, { recursive: true, force: true });
    }
  }, 60_000);
});

test('every snippet is followed, here or by the frameworks', () => {
  const here = ['esbuild', 'ncc', 'webpack', 'rollup', 'bun', 'asar'];
  const names = [...documented.keys()].filter(name => name.startsWith('bundle/'));
  expect(names.toSorted()).toEqual([...here, 'next', 'next-instrumentation'].map(name => `bundle/${name}`).toSorted());
});

test('the packages are here', context => {
  if (typeof made === 'string') leaveOut(context, made);
});

// Bundles the dashboard into crates/dashboard/dist, from where it is compiled into the binary, the addon and the wheel:
//
//     npm run build:dashboard
//
// Names carry a hash of what is in them, and each file has its .br and .gz. The same sources make the same bytes. What has not changed
// is left alone, so that Cargo does not compile it again.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, '../../crates/dashboard/dist');

const bundled = await build({
  absWorkingDir: HERE,
  entryPoints: { app: 'src/main.tsx' },
  outdir: OUT,
  publicPath: '/',
  entryNames: 'assets/[name]-[hash]',
  chunkNames: 'assets/[name]-[hash]',
  assetNames: 'assets/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['chrome119', 'firefox120', 'safari17'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: true,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
});

/** Files by their path below dist. */
const files = new Map();
const relative = path => path.slice(OUT.length + 1).replaceAll('\\', '/');
for (const file of bundled.outputFiles) files.set(relative(file.path), Buffer.from(file.contents));

const hash = bytes => createHash('sha256').update(bytes).digest('hex').slice(0, 8).toUpperCase();
const icon = readFileSync(join(HERE, 'icon.svg'));
const iconName = `assets/icon-${hash(icon)}.svg`;
files.set(iconName, icon);

const script = [...files.keys()].find(name => /^assets\/app-\w+\.js$/.test(name));
const style = [...files.keys()].find(name => /^assets\/app-\w+\.css$/.test(name));
// What the script imports at once is fetched beside it, not behind it.
const key = Object.keys(bundled.metafile.outputs).find(name => name.endsWith(script));
const chunks = bundled.metafile.outputs[key].imports.filter(({ kind }) => kind === 'import-statement');
const preload = chunks.map(({ path }) => `<link rel="modulepreload" href="/assets/${path.split('/').pop()}">`).join('');
const page = readFileSync(join(HERE, 'index.html'), 'utf8')
  .replace('%script%', `/${script}`)
  .replace('%style%', `/${style}`)
  .replace('%icon%', `/${iconName}`)
  .replace('%preload%', preload);
files.set('index.html', Buffer.from(page));

const kept = new Set();
mkdirSync(join(OUT, 'assets'), { recursive: true });
const write = (name, bytes) => {
  kept.add(name);
  const path = join(OUT, name);
  if (!existsSync(path) || !readFileSync(path).equals(bytes)) writeFileSync(path, bytes);
};
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
const sizes = new Map();
for (const [name, bytes] of files) {
  const brotli = brotliCompressSync(bytes, {
    params: { ...quality.params, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  sizes.set(name, brotli.length);
  write(name, bytes);
  write(`${name}.br`, brotli);
  write(`${name}.gz`, gzipSync(bytes, { level: 9 }));
}
for (const folder of ['', 'assets']) {
  for (const entry of readdirSync(join(OUT, folder), { withFileTypes: true })) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile() && !kept.has(name)) rmSync(join(OUT, name));
  }
}

const first = ['index.html', script, style, iconName, ...chunks.map(({ path }) => `assets/${path.split('/').pop()}`)];
const total = names => names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
if (process.argv.includes('--sizes')) {
  for (const [name, size] of [...sizes].sort((a, b) => b[1] - a[1]))
    console.log(`${String(size).padStart(8)}  ${name}`);
}
/** KiB, compressed, that a browser loads before it shows the first page: a promise of docs/dashboard.md. */
const MOST = 60;
// The first page is a chunk of its own, with what it imports.
const overview = Object.entries(bundled.metafile.outputs).find(
  ([, { entryPoint }]) => entryPoint === 'src/pages/overview.tsx',
);
for (const { path, kind } of [{ path: overview[0], kind: 'import-statement' }, ...overview[1].imports]) {
  const name = `assets/${path.split('/').pop()}`;
  if (kind === 'import-statement' && !first.includes(name)) first.push(name);
}
const kib = names => total(names) / 1024;
console.log(
  `dashboard: ${kib(first).toFixed(1)} KiB brotli for the first page, ${kib([...sizes.keys()]).toFixed(1)} in all`,
);
if (kib(first) > MOST)
  throw new Error(`the first page takes ${kib(first).toFixed(1)} KiB: at most ${MOST} are promised`);

import { readFileSync } from 'node:fs';
import { require } from '../require.js';

/** What a tool is told so that it leaves this package out of what it writes, one line each. */
const REMEDIES: readonly { readonly tool: string; readonly remedy: string; readonly here: () => boolean }[] = [
  {
    tool: 'Next.js',
    remedy: "serverExternalPackages: ['otlp-arrow'] in next.config",
    here: () => process.env.NEXT_RUNTIME !== undefined,
  },
  {
    tool: 'Electron',
    remedy: "leave it out of the bundle of the main process, and for electron-builder asarUnpack: ['**/*.node']",
    here: () => process.versions.electron !== undefined,
  },
  {
    tool: 'Bun',
    remedy: 'bun build --external otlp-arrow, and node_modules beside the result',
    here: () => process.versions.bun !== undefined,
  },
  { tool: 'webpack, Rspack', remedy: "externals: { 'otlp-arrow': 'commonjs otlp-arrow' }", here: isWebpack },
  { tool: 'esbuild', remedy: '--external:otlp-arrow', here: () => false },
  { tool: 'Rollup, rolldown', remedy: "external: ['otlp-arrow']", here: () => false },
  { tool: 'Vite', remedy: "ssr: { external: ['otlp-arrow'] }", here: () => false },
  { tool: 'Nitro, Nuxt', remedy: "nitro: { traceDeps: ['otlp-arrow'] }", here: () => false },
  { tool: 'SvelteKit', remedy: 'otlp-arrow in dependencies, not in devDependencies', here: () => false },
];

/** Whether this code is a part of a file that a bundler wrote, and not of the package as it is installed. */
export function isBundled(): boolean {
  try {
    const manifest = require.resolve('../../package.json');
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name !== 'otlp-arrow';
  } catch {
    return true;
  }
}

/** What to do about it: for the tool that wrote the bundle, where it can be told. */
export function remedies(): string[] {
  const [found] = REMEDIES.filter(({ here }) => here());
  return (found ? [found] : REMEDIES).map(({ tool, remedy }) => `  ${tool}: ${remedy}`);
}

declare const __webpack_require__: unknown;

function isWebpack(): boolean {
  return typeof __webpack_require__ === 'function';
}

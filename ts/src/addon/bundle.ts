import { readFileSync } from 'node:fs';
import { require } from '../require.js';

interface Tool {
  readonly name: string;
  /** The line that has it leave this package out of what it writes. */
  readonly remedy: string;
  /** Whether this code runs in its output, for those that can be told. */
  readonly isHere?: () => boolean;
}

const TOOLS: readonly Tool[] = [
  {
    name: 'Next.js',
    remedy: "serverExternalPackages: ['otlp-arrow'] in next.config",
    isHere: () => process.env.NEXT_RUNTIME !== undefined,
  },
  {
    name: 'Electron',
    remedy: "leave it out of the bundle of the main process; electron-builder: asarUnpack: ['**/*.node']",
    isHere: () => process.versions.electron !== undefined,
  },
  {
    name: 'Bun',
    remedy: 'install the package of the platform that is built for, or bun build --external otlp-arrow',
    isHere: () => process.versions.bun !== undefined,
  },
  {
    name: 'webpack, Rspack, ncc',
    remedy: "externals: { 'otlp-arrow': 'node-commonjs otlp-arrow' }; ncc: -e otlp-arrow",
    isHere: () => typeof __webpack_require__ === 'function',
  },
  { name: 'esbuild, tsup', remedy: '--external:otlp-arrow, --external otlp-arrow' },
  { name: 'Rollup, rolldown', remedy: "external: ['otlp-arrow']" },
  { name: 'Vite', remedy: "ssr: { external: ['otlp-arrow'] }" },
  { name: 'SvelteKit', remedy: 'otlp-arrow in dependencies, not in devDependencies' },
  { name: 'Nitro, Nuxt', remedy: 'otlp-arrow neither in externals.inline nor in noExternals' },
];

declare const __webpack_require__: unknown;

/** Whether this code is a part of a file that a bundler wrote, and not of the package as it is installed. */
export function isBundled(): boolean {
  try {
    const manifest = readFileSync(require.resolve('../../package.json'), 'utf8');
    return (JSON.parse(manifest) as { name?: unknown }).name !== 'otlp-arrow';
  } catch {
    return true;
  }
}

/** What to do about it: for the tool that wrote the bundle if it can be told, else for each that cannot. */
export function remedies(): string[] {
  const here = TOOLS.filter(({ isHere }) => isHere?.());
  const tools = here.length > 0 ? here.slice(0, 1) : TOOLS.filter(({ isHere }) => !isHere);
  return tools.map(({ name, remedy }) => `  ${name}: ${remedy}`);
}

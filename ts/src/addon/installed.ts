import module from 'node:module';
import { ABI } from './abi.js';
import { at } from './around.js';

/**
 * The addon in the package of this platform, as this package sees it.
 *
 * Tools that copy what a program needs (Turbopack, @vercel/nft) read this text: they know `module.createRequire` by this
 * name with `import.meta.url`, in a `try`, and names that are written out. Bundlers do not follow it, or find no more
 * than a path.
 */
export function installed(): unknown {
  const file = fileOfPackage();
  return typeof file === 'string' ? at(file) : undefined;
}

function fileOfPackage(): unknown {
  try {
    const load = module.createRequire(import.meta.url);
    switch (ABI) {
      case 'linux-x64-gnu':
        return load('@otlp-arrow/node-linux-x64-gnu');
      case 'linux-x64-musl':
        return load('@otlp-arrow/node-linux-x64-musl');
      case 'linux-arm64-gnu':
        return load('@otlp-arrow/node-linux-arm64-gnu');
      case 'linux-arm64-musl':
        return load('@otlp-arrow/node-linux-arm64-musl');
      case 'darwin-x64':
        return load('@otlp-arrow/node-darwin-x64');
      case 'darwin-arm64':
        return load('@otlp-arrow/node-darwin-arm64');
      case 'win32-x64-msvc':
        return load('@otlp-arrow/node-win32-x64-msvc');
      case 'win32-arm64-msvc':
        return load('@otlp-arrow/node-win32-arm64-msvc');
    }
  } catch (error) {
    // A bundle in CommonJS form has no place: that is not this platform's fault.
    if ((import.meta.url as string | undefined) !== undefined) throw error;
  }
  return undefined;
}

'use strict';

/**
 * Where the addon is, in the words that tools know which copy what a program needs (@vercel/nft, Turbopack): a plain
 * `require` of names that are written out, within a `try`, since most of them are not installed. The packages say a
 * path: those tools that make one file of many would refuse the addon itself.
 */
module.exports = function addon(abi) {
  try {
    switch (abi) {
      case 'linux-x64-gnu':
        return require('@otlp-arrow/node-linux-x64-gnu');
      case 'linux-x64-musl':
        return require('@otlp-arrow/node-linux-x64-musl');
      case 'linux-arm64-gnu':
        return require('@otlp-arrow/node-linux-arm64-gnu');
      case 'linux-arm64-musl':
        return require('@otlp-arrow/node-linux-arm64-musl');
      case 'darwin-x64':
        return require('@otlp-arrow/node-darwin-x64');
      case 'darwin-arm64':
        return require('@otlp-arrow/node-darwin-arm64');
      case 'win32-x64-msvc':
        return require('@otlp-arrow/node-win32-x64-msvc');
      case 'win32-arm64-msvc':
        return require('@otlp-arrow/node-win32-arm64-msvc');
    }
  } catch {
    // In a bundle it is looked for in other ways.
  }
  return undefined;
};

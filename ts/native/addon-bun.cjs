'use strict';

/** The addon itself: Bun puts it into a program that it compiles, and knows it by its file only. */
module.exports = function addon(abi) {
  try {
    switch (abi) {
      case 'linux-x64-gnu':
        return require('@otlp-arrow/node-linux-x64-gnu/otlp-arrow.linux-x64-gnu.node');
      case 'linux-x64-musl':
        return require('@otlp-arrow/node-linux-x64-musl/otlp-arrow.linux-x64-musl.node');
      case 'linux-arm64-gnu':
        return require('@otlp-arrow/node-linux-arm64-gnu/otlp-arrow.linux-arm64-gnu.node');
      case 'linux-arm64-musl':
        return require('@otlp-arrow/node-linux-arm64-musl/otlp-arrow.linux-arm64-musl.node');
      case 'darwin-x64':
        return require('@otlp-arrow/node-darwin-x64/otlp-arrow.darwin-x64.node');
      case 'darwin-arm64':
        return require('@otlp-arrow/node-darwin-arm64/otlp-arrow.darwin-arm64.node');
      case 'win32-x64-msvc':
        return require('@otlp-arrow/node-win32-x64-msvc/otlp-arrow.win32-x64-msvc.node');
      case 'win32-arm64-msvc':
        return require('@otlp-arrow/node-win32-arm64-msvc/otlp-arrow.win32-arm64-msvc.node');
    }
  } catch (error) {
    if (!/Cannot find/.test(error.message)) throw error;
  }
  return undefined;
};

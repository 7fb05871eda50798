#!/usr/bin/env node
import { native } from './native.js';

const args = process.argv.slice(2);

// These take SIGINT and SIGTERM as a request to end in good order. Their handler calls the one it finds in place, and
// that of Node.js would raise the signal again, forever; with a listener there is a harmless one instead.
if (['serve', 'tail', 'ui'].includes(args[0] ?? '')) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
}

process.exitCode = await native.run(args);

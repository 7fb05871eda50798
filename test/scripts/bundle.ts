/** Puts the modules of the package together into a few files: Node.js takes half a millisecond for each that it imports. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { ROOT } from './run.js';

/** What is imported from outside, by `exports`, by `bin` or by its address. */
const ENTRIES = ['index', 'arrow', 'grpc', 'cli', 'register/index', 'register/middle'];

/** Replaces the scripts in a copy of ts/dist; their types stay as they are. What they share stands in its root, as before. */
export async function bundle(dist: string): Promise<void> {
  const input = Object.fromEntries(ENTRIES.map(name => [name, join(ROOT, 'ts/dist', `${name}.js`)]));
  // The package's own files begin with a dot; other packages and the addon stay where they are.
  const made = await rolldown({ input, platform: 'node', external: /^[^./]/, tsconfig: false, onLog: refuse });
  for (const name of readdirSync(dist, { recursive: true }) as string[]) {
    if (name.endsWith('.js')) rmSync(join(dist, name));
  }
  await made.write({ dir: dist, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'shared-[name].js' });
  await made.close();
}

function refuse(level: string, { message }: { message: string }): void {
  if (level === 'warn') throw new Error(message);
}

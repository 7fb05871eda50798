/** The engine of Prometheus: what the questions say of counters and histograms is what it says, or differs as documented. */
import { join } from 'node:path';
import { buildGo, goMissing } from './peers.js';
import { ROOT, run } from './run.js';

/** Cases of each kind, made from a seed of their own; those whose answers are committed are asked again. */
export async function promql(rounds: number): Promise<string | undefined> {
  const missing = await goMissing();
  if (missing !== undefined) return missing;
  const program = await buildGo(join(ROOT, 'test/peers/promql'), 'promql');
  const seed = String(Math.floor(Date.now() / 1000));
  console.log(`seed ${seed}, ${rounds} cases of each kind`);
  await run('cargo', ['test', '--quiet', '-p', 'otlp-arrow-query', '--test', 'query', 'prometheus'], {
    env: { OTLP_ARROW_PROMETHEUS: program, OTLP_ARROW_ROUNDS: String(rounds), OTLP_ARROW_SEED: seed },
  });
  return undefined;
}

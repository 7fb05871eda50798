import { fileURLToPath } from 'node:url';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { describe, expect, test } from 'vitest';
import { node } from './children.js';
import { directory, readDirectory } from './support.js';

const cli = fileURLToPath(new URL('../../ts/dist/cli.js', import.meta.url));

test('help is a success on standard output, wrong usage a failure on standard error', async () => {
  const help = await node([cli, '--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Usage: otlp-arrow');
  const wrong = await node([cli, 'recrod']);
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toContain('recrod');
});

describe.skipIf(process.platform === 'win32')('serve', () => {
  // Elsewhere nobody can tell whether a hangup was to be survived.
  const hangup = process.platform === 'linux' ? (['SIGHUP'] as const) : [];
  test.each(['SIGTERM', 'SIGINT', ...hangup] as const)(
    'records until %s, then drains and says what was kept',
    async signal => {
      const outputDir = directory();
      let sent: Promise<void> | undefined;
      let output = '';
      const ended = await node(
        [cli, 'serve', '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--output-dir', outputDir],
        {
          cwd: outputDir,
          env: { OTLP_ARROW_STORAGE__MIN_FREE_BYTES: '0B' },
          onAny: (text, child) => {
            output += text;
            const address = /listening on (http:\/\/[0-9.:]+)[^\n]*\n/.exec(output)?.[1];
            if (!address || sent) return;
            sent = send(address).finally(() => child.kill(signal));
          },
        },
      );
      await sent;
      expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null });
      expect(ended.stdout + ended.stderr).toMatch(/kept 5 spans/);
      expect(await readDirectory(outputDir, 'traces')).toHaveLength(5);
    },
  );
});

async function send(address: string): Promise<void> {
  const provider = new BasicTracerProvider({
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: address }))],
  });
  for (let n = 0; n < 5; n++) provider.getTracer('t').startSpan(`s${n}`).end();
  await provider.forceFlush();
  await provider.shutdown();
}

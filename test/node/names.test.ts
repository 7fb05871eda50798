/** Every name of the one table of names (DESIGN 9), as TypeScript has it. */
import { decode, encode, OtlpLibrary } from 'otlp-arrow';
import { expect, test } from 'vitest';
import { open } from './support.js';

test('the class has every name of the table', async () => {
  const methods = [
    'exportTraces',
    'exportMetrics',
    'exportLogs',
    'exportOtlp',
    'spanExporter',
    'metricExporter',
    'logExporter',
    'read',
    'readIpc',
    'subscribe',
    'forwarders',
    'flush',
    'shutdown',
    'stats',
    'health',
    'on',
    'off',
    'addresses',
  ];
  const library = await open({ forward: { endpoint: 'http://127.0.0.1:9' } });
  for (const name of methods)
    expect((library as unknown as Record<string, unknown>)[name], name).toBeTypeOf('function');
  const [forwarder] = library.forwarders();
  for (const name of ['info', 'pause', 'resume', 'reset', 'retryRejected'] as const)
    expect(forwarder![name]).toBeTypeOf('function');
  expect(forwarder!.info()).toHaveProperty('lagRecords');
  expect(forwarder!.info()).toHaveProperty('lastError');
  const subscription = await library.subscribe('logs', 'names');
  for (const name of ['next', 'ack', 'close'] as const) expect(subscription[name]).toBeTypeOf('function');
  await subscription.close();
  expect(OtlpLibrary.open).toBeTypeOf('function');
  for (const convert of [decode, encode]) expect(convert).toBeTypeOf('function');
});

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { OtlpLibrary, type Subscription } from 'otlp-arrow';
import { addOtlpServices } from 'otlp-arrow/grpc';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { directory, open, rows, span } from './support.js';

describe('a subscription', () => {
  /** Names of the next `count` rows. */
  async function take(subscription: Subscription, count: number): Promise<string[]> {
    const seen: string[] = [];
    while (seen.length < count) {
      const { value, done } = await subscription.next();
      if (done) break;
      for (const row of value) seen.push(String(row?.name));
    }
    return seen;
  }

  test('delivers what was and what is committed; what was acknowledged does not come again', async () => {
    const outputDir = directory();
    const library = await open({ outputDir });
    await library.exportTraces([span('a')]);
    const first = await library.subscribe('traces', 'alerts');
    expect(await take(first, 1)).toEqual(['a']);
    await first.ack();
    await library.exportTraces([span('b')]);
    expect(await take(first, 1)).toEqual(['b']);
    await first.close();
    const second = await library.subscribe('traces', 'alerts');
    expect(await take(second, 1)).toEqual(['b']);
    await second.ack();
    await library.shutdown();
    expect((await second.next()).done).toBe(true);
    await second.close();

    const later = await OtlpLibrary.open({ outputDir, storage: { minFreeBytes: '0B' } });
    const third = await later.subscribe('traces', 'alerts');
    await later.exportTraces([span('c')]);
    expect(await take(third, 1)).toEqual(['c']);
    await third.close();
    await later.shutdown();
  });

  test('a loop that is left frees the name; one name has one subscriber', async () => {
    const library = await open();
    await library.exportTraces([span('a')]);
    const first = await library.subscribe('traces', 'one');
    await expect(library.subscribe('traces', 'one')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    for await (const batch of first) {
      expect(batch.numRows).toBe(1);
      break;
    }
    await (await library.subscribe('traces', 'one')).close();
    await expect(library.subscribe('traces', '../up')).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });

  test('closing ends a wait', async () => {
    const library = await open();
    const subscription = await library.subscribe('logs', 'idle', 'now');
    const waiting = subscription.next();
    await subscription.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});

test('a forwarder delivers, and can be paused and resumed', async () => {
  const behind = await open();
  const server = new Server();
  addOtlpServices(server, behind);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  onTestFinished(() => server.forceShutdown());
  const library = await open({ forward: { name: 'central', endpoint: `http://127.0.0.1:${port}` } });
  const [forwarder] = library.forwarders();
  expect(forwarder!.name).toBe('central');
  expect(forwarder!.info()).toMatchObject({
    name: 'central',
    state: 'closed',
    paused: false,
    rejectedRequests: 0,
    lastError: null,
  });
  forwarder!.pause();
  expect(forwarder!.info().paused).toBe(true);
  await library.exportTraces([span('a'), span('b')]);
  forwarder!.resume();
  await vi.waitFor(() => expect(behind.stats().acceptedRecords.traces).toBe(2), { timeout: 15_000 });
  expect(rows(await behind.read('traces')).map(row => row.name)).toEqual(['a', 'b']);
  expect(await forwarder!.retryRejected()).toEqual({ delivered: 0, left: 0 });
  forwarder!.reset();
});

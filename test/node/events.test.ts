import { diag } from '@opentelemetry/api';
import type { OtlpEvent } from 'otlp-arrow';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Events } from '#dist/events.js';
import { open, span } from './support.js';

const json = JSON.stringify({
  name: 'storage_full',
  time: 1_700_000_000_000,
  severity: 'warn',
  message: 'free some room',
});

/** What Node.js warns of a listener when `act` is done. */
async function warned(act: () => unknown): Promise<string> {
  const heard = new Promise<string>(resolve => {
    const listener = ({ message }: Error) => {
      if (!message.startsWith('a listener of otlp-arrow')) return;
      process.off('warning', listener);
      resolve(message);
    };
    process.on('warning', listener);
  });
  await act();
  return heard;
}

test.each([
  [
    'throws',
    () => {
      throw new Error('out of order');
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('out of order');
    },
  ],
  [
    'throws what is no error',
    () => {
      throw 'out of order';
    },
  ],
])('a listener that %s ends nothing: Node.js warns, and the others are called', async (_, failing) => {
  const events = new Events();
  const heard: OtlpEvent[] = [];
  events.add(failing);
  events.add(event => heard.push(event));
  expect(await warned(() => events.tell(json))).toMatch(
    /a listener of otlp-arrow failed for storage_full: .*out of order/,
  );
  expect(heard).toMatchObject([{ name: 'storage_full' }]);
});

test('a listener that fails for what happened before it listened is added all the same', async () => {
  const events = new Events();
  let heard = 0;
  events.tell(json);
  const listener = () => {
    if (heard++ === 0) throw new Error('out of order');
  };
  expect(await warned(() => events.add(listener))).toContain('out of order');
  events.tell(json);
  expect(heard).toBe(2);
});

test('the core says what is a warning', () => {
  const warn = vi.fn();
  diag.setLogger({ error: vi.fn(), warn, info: vi.fn(), debug: vi.fn(), verbose: vi.fn() });
  onTestFinished(() => diag.disable());
  const events = new Events();
  const tell = (name: string, severity: string) =>
    events.tell(JSON.stringify({ name, time: 0, severity, message: `about ${name}` }));
  tell('breaker_half_open', 'info');
  tell('records_dropped', 'warn');
  expect(warn.mock.calls).toEqual([['otlp-arrow: about records_dropped']]);
});

test('a program whose listener and diag logger throw runs on', async () => {
  const fail = () => {
    throw new Error('out of order');
  };
  diag.setLogger({ error: fail, warn: fail, info: fail, debug: fail, verbose: fail });
  onTestFinished(() => diag.disable());
  const library = await open({ storage: { minFreeBytes: '1000TiB' } });
  const heard = vi.fn();
  library.on('event', fail).on('event', heard);
  const message = await warned(() => expect(library.exportTraces([span('a')])).rejects.toThrow(/free/));
  expect(message).toContain('out of order');
  expect(heard).toHaveBeenCalledWith(expect.objectContaining({ name: 'storage_full' }));
});

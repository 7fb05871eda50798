/** Views that are kept: whatever the browser has under that name. */
import { expect, test } from 'vitest';
import { viewsOf, withView } from '../src/state/views.js';

test('only addresses of ours are views', () => {
  expect(
    viewsOf(
      JSON.stringify([
        { name: 'a', url: '/ui/logs?text=x' },
        { name: 'b', url: 'javascript:alert(1)' },
        { name: 'c', url: '//evil.example/ui/' },
        { name: 1, url: '/ui/' },
        null,
        'x',
      ]),
    ),
  ).toEqual([{ name: 'a', url: '/ui/logs?text=x' }]);
  for (const text of [null, '', '{', '{}', 'null', '7']) expect(viewsOf(text)).toEqual([]);
  expect(
    viewsOf(JSON.stringify(Array.from({ length: 500 }, (_, at) => ({ name: `${at}`, url: '/ui/logs' })))),
  ).toHaveLength(100);
});

test('a name is there once', () => {
  const one = { name: 'a', url: '/ui/logs' };
  expect(withView([one], { name: 'b', url: '/ui/map' })).toHaveLength(2);
  expect(withView([one, { name: 'b', url: '/ui/map' }], { name: 'a', url: '/ui/errors' })).toEqual([
    { name: 'a', url: '/ui/errors' },
    { name: 'b', url: '/ui/map' },
  ]);
});

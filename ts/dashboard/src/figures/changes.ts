/** Differences between two sides, in words. */
import { condition } from '../parts/filter.js';
import { duration, percent } from '../parts/time.js';
import type { Compare } from '../wire.js';

type Change = Compare['operations'][number];

/** By how much a request spends more, with its sign; what is next to nothing is. */
export function effect(nanos: number): string {
  if (Math.abs(nanos) < 500) return '0';
  return `${nanos > 0 ? '+' : '−'}${duration(Math.abs(nanos))}`;
}

/** One change as a line for an issue or an agent. */
export function sentence(one: Change): string {
  const { a, b } = one;
  const what = `${one.change}: ${one.service} ${one.name} (${one.kind})`;
  const parts = [
    a && b
      ? `p50 ${duration(a.p50)} → ${duration(b.p50)}, p95 ${duration(a.p95)} → ${duration(b.p95)}`
      : `p50 ${duration((a ?? b)?.p50)}`,
    `${a?.count ?? 0} → ${b?.count ?? 0} spans`,
    a?.errors || b?.errors ? `errors ${percent(a?.error_share ?? 0)} → ${percent(b?.error_share ?? 0)}` : '',
    `${effect(one.impact)} a request`,
  ];
  return `${what}: ${parts.filter(Boolean).join('; ')}`;
}

/** The two sides of two values of an attribute of the resource. */
export function sidesOfRun(key: string, a: string, b: string): { readonly a: string; readonly b: string } {
  return { a: sideOf(key, a), b: sideOf(key, b) };
}

/** Words of a side have blanks between them, unless they are in double quotes, which cannot be part of one. */
export function sideOf(key: string, value: string): string {
  const plain = `resource=${condition(key, value)}`;
  if (plain.includes('"')) {
    const pattern = `^${value.replace(/[\\.*+?^${}()|[\]#&~-]/g, '\\$&').replaceAll('"', '\\x22')}$`;
    return `"resource=${key}~${pattern}"`;
  }
  return /\s/.test(plain) ? `"${plain}"` : plain;
}

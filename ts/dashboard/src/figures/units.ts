/** Values of metrics as people read them, by their UCUM unit. Pure. */
import { amount, bytes, duration } from '../parts/time.js';

const NANOS: { readonly [unit: string]: number } = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  min: 60e9,
  h: 3600e9,
  d: 86_400e9,
};
const BYTES: { readonly [unit: string]: number } = {
  By: 1,
  B: 1,
  bytes: 1,
  KBy: 1e3,
  KiBy: 1024,
  MBy: 1e6,
  MiBy: 1024 ** 2,
  GBy: 1e9,
  GiBy: 1024 ** 3,
};

/** What the values of a line are: `show`, its unit and its type. */
export interface Shown {
  readonly show: string;
  readonly unit: string;
  readonly type: string;
}

/** The unit of what is shown: how many values a histogram has is a number, whatever they are of. */
function unitOf({ show, unit, type }: Shown): string {
  const isCount = (show === 'rate' || show === 'increase' || show === 'buckets') && type !== 'sum';
  return isCount ? '' : unit;
}

/** The unit beside a name: `s`, `By/s`, `requests/s`; what is in braces is an annotation. */
export function unitText(shown: Shown): string {
  const unit = unitOf(shown)
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^1$/, '');
  return shown.show === 'rate' ? `${unit}/s` : unit;
}

/** A value with its unit. */
export function valueText(value: number | null | undefined, shown: Shown): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const unit = unitOf(shown);
  const per = shown.show === 'rate' ? '/s' : '';
  if (unit in NANOS && per === '') return value === 0 ? '0' : duration(value * NANOS[unit]!);
  if (unit in BYTES) return `${value < 0 ? '−' : ''}${bytes(Math.round(Math.abs(value) * BYTES[unit]!))}${per}`;
  if (unit === '%') return `${amount(value)} %${per}`;
  const text = unit.replace(/^\{.*\}$/, '').replace(/^1$/, '');
  return `${amount(value)}${text === '' ? '' : ` ${text}`}${per}`;
}

/** The ends of a bucket. */
export function bucketText(above: number, upTo: number, shown: Shown): string {
  const value = (bound: number) => valueText(bound, { ...shown, show: 'value' });
  if (!Number.isFinite(above)) return `up to ${value(upTo)}`;
  return Number.isFinite(upTo) ? `${value(above)} to ${value(upTo)}` : `above ${value(above)}`;
}

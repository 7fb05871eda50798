/** A line without axes: how something went, at one look. */
import type { JSX } from 'preact';

/** The line of `values`, from the oldest to the latest; the space below it is filled. */
export function Spark({
  values,
  label,
  width = 120,
  height = 22,
  class: style = '',
}: {
  readonly values: readonly number[];
  readonly label: string;
  readonly width?: number;
  readonly height?: number;
  readonly class?: string;
}): JSX.Element {
  const most = Math.max(...values, 0);
  if (values.length < 2 || most === 0) {
    return (
      <svg class={`spark ${style}`} width={width} height={height} role="img" aria-label={`${label}: nothing`}>
        <line class="spark-none" x1={0} x2={width} y1={height - 1} y2={height - 1} />
      </svg>
    );
  }
  const x = (i: number) => ((i / (values.length - 1)) * (width - 2) + 1).toFixed(1);
  const y = (value: number) => (height - 1.5 - (value / most) * (height - 3)).toFixed(1);
  const line = values.map((value, i) => `${i === 0 ? 'M' : 'L'}${x(i)} ${y(value)}`).join('');
  return (
    <svg class={`spark ${style}`} width={width} height={height} role="img" aria-label={label}>
      <path class="spark-area" d={`${line}L${x(values.length - 1)} ${height}L${x(0)} ${height}Z`} />
      <path class="spark-line" d={line} />
    </svg>
  );
}

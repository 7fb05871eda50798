/** Icons: strokes of 1.5 on a grid of 16. */
import type { JSX } from 'preact';

const PATHS = {
  overview: 'M2.5 9.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 2.5h4v4h-4zM9.5 9.5h4v4h-4z',
  traces: 'M2 3.5h8M4.5 8h6M6.5 12.5H14',
  logs: 'M2.5 3.5h11M2.5 6.5h7M2.5 9.5h11M2.5 12.5h5',
  metrics: 'M2.5 13.5h11M4 11V8M8 11V3.5M12 11V6',
  errors: 'M8 2.2 14.3 13H1.7zM8 6.5v3M8 11.2v.1',
  map: 'M3.5 5.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4M12.5 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4M5 14.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4M5.4 4.4l5.2 2.6M10.8 9l-4 2.6',
  recorder: 'M8 14.5A6.5 6.5 0 1 0 8 1.500a6.5 6.500 0 0 0 0 13M8 10.500A2.5 2.5 0 1 0 8 5.5a2.5 2.5 0 0 0 0 5',
  compare: 'M5 2.500v11M11 2.5v11M2 6l3-3.500L8 6M8 10l3 3.500L14 10',
  genai: 'M8 1.800l1.500 4.200 4.200 1.500-4.200 1.500L8 13.200 6.500 9 2.300 7.500 6.500 6z',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10M10.700 10.700 14 14',
  help: 'M6 6a2 2 0 1 1 2.800 1.800c-.5.3-.8.7-.8 1.400M8 11.600v.1M8 14.500A6.500 6.500 0 1 0 8 1.500a6.500 6.500 0 0 0 0 13',
  sun: 'M8 11A3 3 0 1 0 8 5a3 3 0 0 0 0 6M8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z',
  close: 'M4 4l8 8M12 4l-8 8',
  copy: 'M5.500 5.500v-3h8v8h-3M2.500 5.500h8v8h-8z',
  check: 'M3 8.500l3.500 3.500L13 4.500',
  in: 'M8 3v10M3 8h10',
  out: 'M3 8h10',
  right: 'M6 3.500 10.500 8 6 12.500',
  down: 'M3.500 6 8 10.500 12.500 6',
  clock: 'M8 14.500A6.500 6.500 0 1 0 8 1.500a6.500 6.500 0 0 0 0 13M8 4.500V8l2.500 1.500',
  pause: 'M5.500 3.500v9M10.500 3.500v9',
  play: 'M5 3l7.500 5L5 13z',
  link: 'M6.500 9.500l3-3M7 4.500l1.500-1.500a3 3 0 0 1 4.300 4.300L11.300 8.800M8.800 11.500l-1.500 1.500A3 3 0 0 1 3 8.700L4.500 7.200',
  focus: 'M2 6V2h4M14 6V2h-4M2 10v4h4M14 10v4h-4',
  star: 'M8 2l1.900 3.900 4.300.6-3.100 3 .7 4.300L8 11.800l-3.800 2 .7-4.300-3.100-3 4.300-.6z',
} as const;

export type IconName = keyof typeof PATHS;

/** An icon that says nothing by itself: what it is on has a name. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Every page. The rail is this list; to add a page: its file, and a line here. */
import type { ComponentType } from 'preact';
import type { IconName } from '../parts/icons.js';

/** One page: `/ui/<name>`. What is behind the name is `below` of state/url.ts. */
export interface Page {
  readonly name: string;
  readonly title: string;
  readonly icon: IconName;
  /** The key behind `g` that goes there; pages without are not in the rail. */
  readonly key?: string;
  /** Loads its component, when somebody goes there first. */
  readonly load: () => Promise<{ default: ComponentType }>;
  /** Whether what is typed into the search box is its word `text`; otherwise traces are searched. */
  readonly searches?: boolean;
  /** Where in the rail it is marked, for a page that is not there itself. */
  readonly under?: string;
}

export const PAGES: readonly Page[] = [
  { name: 'overview', title: 'Overview', icon: 'overview', key: 'o', load: () => import('./overview.js') },
  { name: 'traces', title: 'Traces', icon: 'traces', key: 't', load: () => import('./traces.js'), searches: true },
  { name: 'logs', title: 'Logs', icon: 'logs', key: 'l', load: () => import('./logs.js'), searches: true },
  { name: 'metrics', title: 'Metrics', icon: 'metrics', key: 'm', load: () => import('./metrics.js') },
  { name: 'errors', title: 'Errors', icon: 'errors', key: 'e', load: () => import('./errors.js') },
  { name: 'map', title: 'Map', icon: 'map', key: 'a', load: () => import('./map.js') },
  { name: 'recorder', title: 'Recorder', icon: 'recorder', key: 'r', load: () => import('./recorder.js') },
  { name: 'compare', title: 'Compare', icon: 'compare', under: 'traces', load: () => import('./compare.js') },
  { name: 'genai', title: 'Conversations', icon: 'genai', under: 'traces', load: () => import('./genai.js') },
  { name: 'trace', title: 'Trace', icon: 'traces', under: 'traces', load: () => import('./trace.js') },
];

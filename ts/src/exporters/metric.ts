import { oneOf } from '../arguments.js';
import { warn } from '../diag.js';
import type { ResourceMetrics } from '../encoder/types.js';
import { Exporter, type Owner, type Send } from './exporter.js';
import { type ExporterOptions, timeoutOf } from './options.js';

const TEMPORALITIES = ['cumulative', 'delta', 'lowmemory'] as const;

/** Which temporality a metric exporter asks the SDK for, with the SDK's meaning for each kind of instrument. */
export type Temporality = (typeof TEMPORALITIES)[number];

/** Options of a metric exporter. */
export interface MetricExporterOptions extends ExporterOptions {
  /** @default `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, else 'cumulative' */
  temporality?: Temporality;
}

/** The SDK's numbers, which are not OTLP's. */
const DELTA = 0;
const CUMULATIVE = 1;

const DELTA_UNDER: Readonly<Record<Temporality, ReadonlySet<string>>> = {
  cumulative: new Set(),
  delta: new Set(['COUNTER', 'GAUGE', 'HISTOGRAM', 'OBSERVABLE_COUNTER', 'OBSERVABLE_GAUGE']),
  lowmemory: new Set(['COUNTER', 'HISTOGRAM']),
};

/** A `PushMetricExporter` of the 2.x and 3.x SDKs. Made by `OtlpLibrary.metricExporter()`. */
export class MetricExporter extends Exporter<ResourceMetrics> {
  readonly #delta: ReadonlySet<string>;

  /** @internal */
  constructor(owner: Owner, send: Send<ResourceMetrics>, options: MetricExporterOptions) {
    super(owner, send, timeoutOf(options, 'OTEL_METRIC_EXPORT_TIMEOUT'));
    this.#delta = DELTA_UNDER[oneOf('temporality', options.temporality ?? preference(), TEMPORALITIES)];
  }

  /** Asked by the SDK, with the instrument's type such as `COUNTER`. */
  selectAggregationTemporality(instrumentType: string): 0 | 1 {
    return this.#delta.has(instrumentType) ? DELTA : CUMULATIVE;
  }
}

function preference(): Temporality {
  const variable = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE';
  const text = process.env[variable];
  if (!text) return 'cumulative';
  const wanted = text.trim().toLowerCase();
  const known = TEMPORALITIES.find(name => name === wanted);
  if (!known) warn(`${variable} = ${text} is none of ${TEMPORALITIES.join(', ')}: cumulative is used`);
  return known ?? 'cumulative';
}

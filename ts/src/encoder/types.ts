/**
 * The objects the OpenTelemetry SDKs hand to an exporter, as far as they are read here. The types are structural, so
 * that one implementation serves the 2.x and the 3.x line and this package depends on neither.
 */

/** Seconds and nanoseconds since 1970. */
export type HrTime = readonly [number, number];

/** Attribute values by key; any value OTLP can carry. */
export type Attributes = { readonly [key: string]: unknown };

/** What a span is known by. */
export interface SpanContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** W3C trace flags. */
  readonly traceFlags: number;
  readonly isRemote?: boolean | undefined;
  readonly traceState?: { serialize(): string } | undefined;
}

/** Who sent the telemetry. */
export interface Resource {
  readonly attributes: Attributes;
  readonly schemaUrl?: string | undefined;
  readonly asyncAttributesPending?: boolean | undefined;
  waitForAsyncAttributes?(): Promise<void>;
}

/** Which library made the telemetry. */
export interface InstrumentationScope {
  readonly name: string;
  readonly version?: string | undefined;
  readonly schemaUrl?: string | undefined;
  readonly attributes?: Attributes | undefined;
  readonly droppedAttributesCount?: number | undefined;
}

/** A finished span. */
export interface ReadableSpan {
  readonly name: string;
  /** As in the API: 0 is internal. */
  readonly kind: number;
  spanContext(): SpanContext;
  readonly parentSpanContext?: SpanContext | undefined;
  /** What the 1.x line has instead of the parent's context. */
  readonly parentSpanId?: string | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: { readonly code: number; readonly message?: string | undefined };
  readonly attributes: Attributes;
  readonly links: readonly {
    readonly context: SpanContext;
    readonly attributes?: Attributes | undefined;
    readonly droppedAttributesCount?: number | undefined;
  }[];
  readonly events: readonly {
    readonly time: HrTime;
    readonly name: string;
    readonly attributes?: Attributes | undefined;
    readonly droppedAttributesCount?: number | undefined;
  }[];
  /** Absent: the `resource` of the library's configuration is used. */
  readonly resource?: Resource | undefined;
  readonly instrumentationScope?: InstrumentationScope | undefined;
  /** What the 1.x line has instead of the scope. */
  readonly instrumentationLibrary?: InstrumentationScope | undefined;
  readonly droppedAttributesCount: number;
  readonly droppedEventsCount: number;
  readonly droppedLinksCount: number;
}

/** A log record that is ready to be exported. */
export interface ReadableLogRecord {
  readonly hrTime: HrTime;
  readonly hrTimeObserved: HrTime;
  readonly spanContext?: SpanContext | undefined;
  readonly severityText?: string | undefined;
  readonly severityNumber?: number | undefined;
  readonly body?: unknown;
  readonly eventName?: string | undefined;
  /** Absent: the `resource` of the library's configuration is used. */
  readonly resource?: Resource | undefined;
  readonly instrumentationScope?: InstrumentationScope | undefined;
  readonly attributes: Attributes;
  readonly droppedAttributesCount: number;
}

/** A histogram with explicit bounds. */
export interface Histogram {
  readonly buckets: { readonly boundaries: readonly number[]; readonly counts: readonly number[] };
  readonly count: number;
  readonly sum?: number | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** A histogram with exponential bounds. */
export interface ExponentialHistogram {
  readonly count: number;
  readonly sum?: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: { readonly offset: number; readonly bucketCounts: readonly number[] };
  readonly negative: { readonly offset: number; readonly bucketCounts: readonly number[] };
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** One point of a metric. */
export interface DataPoint {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  /** A number, a {@link Histogram} or an {@link ExponentialHistogram}, as the metric's `dataPointType` says. */
  readonly value: unknown;
}

/** One metric with its points. */
export interface MetricData {
  readonly descriptor: {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
    /** 0 integer, 1 double. */
    readonly valueType: number;
  };
  /** 0 delta, 1 cumulative (the SDK's numbers, not OTLP's). */
  readonly aggregationTemporality: number;
  /** 0 histogram, 1 exponential histogram, 2 gauge, 3 sum. */
  readonly dataPointType: number;
  readonly isMonotonic?: boolean | undefined;
  readonly dataPoints: readonly DataPoint[];
}

/** Everything a metric reader collected in one go. */
export interface ResourceMetrics {
  /** Absent: the `resource` of the library's configuration is used. */
  readonly resource?: Resource | undefined;
  readonly scopeMetrics: readonly {
    readonly scope: InstrumentationScope;
    readonly metrics: readonly MetricData[];
  }[];
}

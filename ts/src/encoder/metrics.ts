import { attributes } from './attributes.js';
import { attempt, resourceField, schemaUrl, scopeField } from './owners.js';
import { one, type Skipped, skip } from './records.js';
import type { DataPoint, ExponentialHistogram, Histogram, MetricData, Resource, ResourceMetrics } from './types.js';
import type { Writer } from './writer.js';

const HISTOGRAM = 0;
const EXPONENTIAL_HISTOGRAM = 1;
const GAUGE = 2;
const SUM = 3;
const INT = 0;

/** Writes everything a reader collected as one `ResourceMetrics` envelope. */
export function resourceMetrics(
  w: Writer,
  collected: ResourceMetrics,
  fallback: Resource | undefined,
  skipped: Skipped,
): void {
  let resource = fallback;
  attempt(w, 'a resource', skipped, () => {
    resource = collected.resource ?? fallback;
  });
  w.open(0x0a);
  resourceField(w, resource, skipped);
  for (const group of collected.scopeMetrics) {
    w.open(0x12);
    try {
      const { scope, metrics } = group;
      scopeField(w, scope, skipped);
      for (const data of metrics) one(w, data, metric, skipped);
      schemaUrl(w, scope, skipped);
    } catch (error) {
      skip(skipped, error);
    }
    w.close();
  }
  schemaUrl(w, resource, skipped);
  w.close();
}

function metric(w: Writer, data: MetricData): void {
  const { name, description, unit, valueType } = data.descriptor;
  if (name) w.string(0x0a, name);
  if (description) w.string(0x12, description);
  if (unit) w.string(0x1a, unit);
  w.open(tagOf(data.dataPointType));
  for (const point of data.dataPoints) {
    w.open(0x0a);
    switch (data.dataPointType) {
      case HISTOGRAM:
        histogram(w, point, point.value as Histogram);
        break;
      case EXPONENTIAL_HISTOGRAM:
        exponentialHistogram(w, point, point.value as ExponentialHistogram);
        break;
      default:
        number(w, point, point.value as number, valueType);
    }
    w.close();
  }
  if (data.dataPointType !== GAUGE) {
    w.uint32(0x10, data.aggregationTemporality + 1);
    if (data.dataPointType === SUM && data.isMonotonic) w.uint32(0x18, 1);
  }
  w.close();
}

/** The tag of the `Metric.data` member for a kind of point. */
function tagOf(dataPointType: number): number {
  switch (dataPointType) {
    case HISTOGRAM:
      return 0x4a;
    case EXPONENTIAL_HISTOGRAM:
      return 0x52;
    case GAUGE:
      return 0x2a;
    case SUM:
      return 0x3a;
    default:
      throw new TypeError(`unknown dataPointType ${dataPointType}`);
  }
}

/** An integer instrument's value stays an integer; one with a fraction, or out of range, is written as the double it is. */
function number(w: Writer, point: DataPoint, value: number, valueType: number): void {
  w.time(0x11, point.startTime);
  w.time(0x19, point.endTime);
  if (valueType === INT && Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) w.fixed64(0x31, value);
  else w.double(0x21, value);
  attributes(w, 0x3a, point.attributes);
}

function histogram(w: Writer, point: DataPoint, value: Histogram): void {
  const { counts, boundaries } = value.buckets;
  w.time(0x11, point.startTime);
  w.time(0x19, point.endTime);
  w.fixed64(0x21, value.count);
  w.optionalDouble(0x29, value.sum);
  w.packedCounts(0x32, counts);
  w.packedDoubles(0x3a, boundaries);
  attributes(w, 0x4a, point.attributes);
  w.optionalDouble(0x59, value.min);
  w.optionalDouble(0x61, value.max);
}

function exponentialHistogram(w: Writer, point: DataPoint, value: ExponentialHistogram): void {
  attributes(w, 0x0a, point.attributes);
  w.time(0x11, point.startTime);
  w.time(0x19, point.endTime);
  w.fixed64(0x21, value.count);
  w.optionalDouble(0x29, value.sum);
  w.sint32(0x30, value.scale);
  w.fixed64(0x39, value.zeroCount);
  buckets(w, 0x42, value.positive);
  buckets(w, 0x4a, value.negative);
  w.optionalDouble(0x61, value.min);
  w.optionalDouble(0x69, value.max);
}

function buckets(w: Writer, tag: number, value: ExponentialHistogram['positive']): void {
  w.open(tag);
  w.sint32(0x08, value.offset);
  w.packedVarints(0x12, value.bucketCounts);
  w.close();
}

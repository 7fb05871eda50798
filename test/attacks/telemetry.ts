/** Requests of one span as OTLP bytes, written by hand so that they can also be wrong. */

/** One field of protobuf with bytes in it. */
export function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** A request with one span of a service: what is kept of it is found by the name of the span. */
export function oneSpan(service: string, name: string, trace = Buffer.alloc(16, 7)): Buffer {
  const attribute = Buffer.concat([field(1, 'service.name'), field(2, field(1, service))]);
  const span = Buffer.concat([field(1, trace), field(2, Buffer.alloc(8, 7)), field(5, name)]);
  return field(1, Buffer.concat([field(1, field(1, attribute)), field(2, field(2, span))]));
}

/** A message of gRPC: flag, length, bytes. */
export function message(bytes: Buffer, flag = 0, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, bytes]);
}

export const TRACES = '/v1/traces';
export const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
export const PROTOBUF = 'application/x-protobuf';

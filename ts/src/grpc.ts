/**
 * The three OTLP services for a @grpc/grpc-js server that is there already.
 *
 * @example
 * const server = new Server(otlpServerOptions);
 * addOtlpServices(server, library);
 */
import {
  Metadata,
  type Server,
  type ServerUnaryCall,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { invalidConfig, shown } from './arguments.js';
import { answerGrpc, OtlpLibrary } from './library.js';
import type { Signal } from './signal.js';

/** The largest request OTLP servers should take, in bytes; grpc-js takes 4 MiB unless told otherwise. */
const MAX_MESSAGE = 64 * 1024 * 1024;
const LIMIT = 'grpc.max_receive_message_length';

/** Options a server with OTLP services should be made with. */
export const otlpServerOptions = { [LIMIT]: MAX_MESSAGE } as const;

/** Says which recorders a request came through, and that it came from here: how a ring of recorders is noticed. */
const VIA = 'otlp-arrow-via';
const LOOP = 'otlp-arrow-loop';

const SERVICES: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};

/**
 * Adds the OTLP services of all three signals to `server`. Requests go to the library as the bytes they are; grpc-js
 * has taken gzip off. Where the server was made without a limit on received messages, it is set to 64 MiB.
 */
export function addOtlpServices(server: Server, library: OtlpLibrary): void {
  if (!(library instanceof OtlpLibrary)) {
    // Else every request would fail, much later.
    throw invalidConfig(`addOtlpServices: library = ${shown(library)}: use an OtlpLibrary of this copy of otlp-arrow`);
  }
  raiseLimit(server);
  for (const [signal, path] of Object.entries(SERVICES) as [Signal, string][]) {
    const definition: ServiceDefinition = {
      Export: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    };
    server.addService(definition, {
      Export: (call: Call, done: sendUnaryData<Buffer>) => {
        answer(library, signal, call).then(
          body => done(null, body),
          (error: Partial<ServiceError>) => done(error),
        );
      },
    });
  }
}

type Call = ServerUnaryCall<Buffer, Buffer>;

async function answer(library: OtlpLibrary, signal: Signal, { request, metadata: sent }: Call): Promise<Buffer> {
  const via = sent.get(VIA).join(',');
  const { code, message, body, comesBack } = await answerGrpc(library, signal, request, via);
  if (code === 0) return body;
  const metadata = new Metadata();
  if (comesBack) metadata.set(LOOP, message);
  else metadata.set('grpc-status-details-bin', body);
  throw Object.assign(new Error(message), { code, details: message, metadata });
}

/** The options of a grpc-js server are read at each call, and only there can a limit be raised for its services. */
function raiseLimit(server: Server): void {
  const { options } = server as unknown as { options?: Record<string, unknown> };
  if (options && options[LIMIT] === undefined) options[LIMIT] = MAX_MESSAGE;
}

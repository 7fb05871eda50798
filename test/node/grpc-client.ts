/** A grpc-js server and a client of raw bytes for it. */
import {
  credentials,
  Metadata,
  makeClientConstructor,
  Server,
  ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import type { OtlpLibrary } from 'otlp-arrow';
import { addOtlpServices } from 'otlp-arrow/grpc';
import { onTestFinished } from 'vitest';

/** A grpc-js server with our services; its address. */
export async function serve(library: OtlpLibrary): Promise<string> {
  const server = new Server();
  addOtlpServices(server, library);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

/** Calls Export with raw bytes. */
export function call(address: string, service: string, request: Buffer): Promise<Buffer> {
  const raw = (bytes: Buffer) => bytes;
  const path = `/opentelemetry.proto.collector.${service}/Export`;
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
  const Client = makeClientConstructor({ Export: method }, 'Otlp');
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 });
  onTestFinished(() => client.close());
  return new Promise((resolve, reject) => {
    client.Export!(request, new Metadata(), (error: ServiceError | null, response: Buffer) =>
      error ? reject(error) : resolve(response),
    );
  });
}

/** A result, or the error as a value: napi keeps no error code of an async function. */
export type Outcome<T> = T | BindingError

/** What a question is answered with. */
export declare class BindingAnswer {
  /** Its values as JSON, in which 64-bit integers are marked texts. */
  values(): Promise<Outcome<string>>
  /** Its table. */
  table(): Promise<Outcome<BindingReader>>
}

/** A call of `append` that is not answered yet: a shutdown waits for it. */
export declare class BindingAppend {
  /**
   * Keeps the rows of an Arrow IPC stream or file as one commit, and ends the call. The bytes are copied before this
   * returns.
   */
  append(signalPosition: number, ipc: Uint8Array): Promise<Outcome<BindingOutcome>>
  /** Ends the call without rows. */
  abandon(): void
}

/** A recorder. */
export declare class BindingLibrary {
  /**
   * Keeps one OTLP protobuf request, which came through the recorders that the header `via` names. The bytes are copied
   * before this returns.
   */
  exportOtlp(signalPosition: number, data: Uint8Array, via: string): Promise<Outcome<BindingOutcome>>
  /**
   * The same for a request that is still to be made, of `steps` and the `text` and `bytes` they take. `on_done` is told
   * what became of it, with `number`. An SDK exporter sets `wait_ms`: it waits so long for room instead of failing, and what
   * is not kept then, `records` of them, is counted and announced.
   */
  exportPieces(number: number, signalPosition: number, steps: Uint32Array, text: Uint8Array, bytes: Uint8Array, waitMs?: number | undefined | null, records?: number | undefined | null): void
  /** Begins a call of `append`, whose rows may still have to be written as Arrow IPC: a shutdown after this waits for it. */
  beginAppend(): Outcome<BindingAppend>
  /** Counts records that could not be read, and so are in no request. */
  unreadable(signalPosition: number, records: number): void
  /**
   * One request to an OTLP service of a gRPC server in JavaScript, which came through the recorders that the header `via`
   * names, and what to answer. It never waits for room.
   */
  answerGrpc(signalPosition: number, data: Uint8Array, via: string): Promise<BindingGrpcAnswer>
  /** Resolves when everything accepted before the call is committed, and sealed if `seal` says so. */
  flush(seal: boolean): Promise<Outcome<undefined>>
  /** Drains, commits, seals and lets go, within `deadline_ms` or the configured time. */
  shutdown(deadlineMs?: number | undefined | null): Promise<Outcome<undefined>>
  /** The same on the calling thread: for the moment in which no promise can be waited for any more. */
  shutdownNow(deadlineMs: number): Outcome<undefined>
  /** The program ends: no exporter waits for longer than `left_ms` any more. Without it the program goes on after all. */
  endsIn(leftMs?: number | undefined | null): void
  /** An exporter is shut down: for how many milliseconds it may wait, all of them together. */
  exporterEndsIn(): number
  /** Resolves when everything accepted before the call is committed; an exporter waits for `wait_ms` at most. */
  flushWithin(waitMs: number): Promise<Outcome<undefined>>
  /** Attributes of the resource that records without one belong to. */
  resource(): Array<Array<string>>
  /** The output directory. */
  directory(): string
  /** Everything that is committed from the durable position `name` on. */
  subscribe(signalPosition: number, name: string, fromNow: boolean): Promise<Outcome<BindingSubscription>>
  /** How each destination stands, as JSON. */
  forwarders(): Outcome<string>
  /** Does `action`, one of `pause`, `resume` and `reset`, to the destination at `position`. */
  forward(position: number, action: string): Outcome<undefined>
  /** Sends again what the destination at `position` refused, for at most `timeout_ms`; what was done is JSON. */
  retryRejected(position: number, timeoutMs: number): Promise<Outcome<string>>
  /** What is kept, to be asked. */
  telemetry(): BindingTelemetry
  /** What was bound. */
  addresses(): BindingAddresses
  /** What was done and what is in hand, as JSON. */
  stats(): Outcome<string>
  /** Whether it works, and why not, as JSON. */
  health(): Outcome<string>
  /** A snapshot of what is committed; `options` is a JSON object. */
  read(signalPosition: number, options: string): Promise<Outcome<BindingReader>>
}

/** A question on its way. */
export declare class BindingQuestion {
  /** Asks it, on a thread of its own. */
  answer(): Promise<Outcome<BindingAnswer>>
  /** Ends it; what was found by then is the answer. */
  cancel(): void
}

/** What is left of a snapshot. */
export declare class BindingReader {
  /** The next piece of the stream, or null after its end. */
  next(): Promise<Outcome<Buffer | undefined | null>>
  /** Releases the files. */
  close(): void
}

/** Batches as they are committed, at least once. */
export declare class BindingSubscription {
  /** The next batch as one Arrow IPC stream; null when the library is shut down or this is closed. */
  next(): Promise<Outcome<Buffer | undefined | null>>
  /** Everything handed out so far is done with. */
  ack(): Promise<undefined>
  /** Ends it and writes its position; the name is free afterwards. */
  close(): Promise<Outcome<undefined>>
}

/** A directory that can be asked. */
export declare class BindingTelemetry {
  /** The question `kind` that these pairs of words and values make. It is asked by a call of `answer`. */
  ask(kind: string, words: Array<[string, string]>, timeoutMs?: number | undefined | null): BindingQuestion
  /** A snapshot of what is committed; `options` is a JSON object. */
  read(signalPosition: number, options: string): Promise<Outcome<BindingReader>>
  /** Ends what is being answered, and answers nothing more. */
  close(): void
}

/** The listeners of a library, as `host:port`. */
export interface BindingAddresses {
  /** The gRPC listener. */
  grpc?: string
  /** The HTTP listener. */
  http?: string
}

/** One OTLP request as columns. */
export interface BindingDecoded {
  /** An Arrow IPC stream. */
  ipc: Buffer
  /** Records that are not in it, because they are invalid. */
  rejected: number
  /** Why the first is not; empty when all are. */
  message: string
}

/** An [`OtlpError`] as a plain object. */
export interface BindingError {
  /** Always true: tells it from a result. */
  isBindingError: boolean
  /** The stable name. */
  code: string
  /** What went wrong and what to do. */
  message: string
  /** Whether the same call may succeed later. */
  retryable: boolean
  /** The texts of the causes, outermost first. */
  causes: Array<string>
}

/** One row of the core's error table. */
export interface BindingErrorCode {
  /** The stable name. */
  code: string
  /** One line that says what it means. */
  meaning: string
  /** Whether the same call may succeed later without a change. */
  retryable: boolean
  /** gRPC status number. */
  grpc: number
  /** HTTP status number. */
  http: number
  /** How long a sender should wait, in milliseconds. */
  retryAfterMs?: number
}

/** The answer of a gRPC server. */
export interface BindingGrpcAnswer {
  /** gRPC status number; 0 is success. */
  code: number
  /** The status message. */
  message: string
  /** On success the response message, else `google.rpc.Status` for `grpc-status-details-bin`. */
  body: Buffer
  /** The records came from here: the message goes into the header `otlp-arrow-loop` as well. */
  comesBack: boolean
}

/** What became of the records of one export. */
export interface BindingOutcome {
  /** Records that are kept. */
  accepted: number
  /** Records that were refused as invalid. */
  rejected: number
  /** Why the first was refused; empty when none was. */
  message: string
}

/** One OTLP request, `protobuf` or `json`, as an Arrow IPC stream of the storage schema. */
export declare function decode(signalPosition: number, data: Uint8Array, format: string): Outcome<BindingDecoded>

/** One zstd frame, decompressed: the codec of apache-arrow for sealed files. */
export declare function decompressZstd(data: Uint8Array): Outcome<Buffer>

/** An Arrow IPC stream or file of the storage schema as one OTLP request, `protobuf` or `json`. */
export declare function encode(signalPosition: number, ipc: Uint8Array, format: string): Outcome<Buffer>

/** The error table: every code and what it is on the wire. */
export declare function errorCodes(): Array<BindingErrorCode>

/** What [`crate::library::BindingLibrary::export_pieces`] makes of its pieces: one OTLP request in protobuf. */
export declare function makeRequest(steps: Uint32Array, text: Uint8Array, bytes: Uint8Array): Outcome<Buffer>

/** Opens a recorder; `config` is a JSON object of keys as in the configuration file. */
export declare function open(config: string, onEvent: (event: string) => void, onDone: (number: number, outcome: Outcome<BindingOutcome>) => void): Promise<Outcome<BindingLibrary>>

/** Opens a directory to be asked; `config` is a JSON object of the keys `output_dir` and `query`. */
export declare function openTelemetry(config: string): Promise<Outcome<BindingTelemetry>>

/**
 * Runs one command to its end, on a thread of its own, and resolves to the exit code. `arguments` are those after the
 * program's name.
 */
export declare function run(arguments: Array<string>): Promise<number>

/** The version of the package this addon was built for: one copied from elsewhere may be of another. */
export declare function version(): string

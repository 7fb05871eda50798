import type { BindingError } from '../native/binding.cjs';
import type { ErrorCode } from './vocabulary.js';

/** Every failure of this package. The text is for people; `code` is public API. */
export class OtlpError extends Error {
  /** What the caller should do next. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, retryable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = retryable;
    this.name = new.target.name;
  }
}

/** A configuration key has a value it cannot have. */
export class InvalidConfigError extends OtlpError {}
/** A listener could not be bound. */
export class BindFailedError extends OtlpError {}
/** The data cannot be read as what it claims to be. */
export class InvalidDataError extends OtlpError {}
/** One request is larger than a request may be. */
export class TooLargeError extends OtlpError {}
/** The memory budget is used up for the moment. */
export class BufferFullError extends OtlpError {}
/** The disk, or the room the directory may take, is full. */
export class StorageFullError extends OtlpError {}
/** The disk failed. */
export class StorageFailedError extends OtlpError {}
/** Credentials are missing or wrong. */
export class UnauthenticatedError extends OtlpError {}
/** The credentials do not allow this. */
export class ForbiddenError extends OtlpError {}
/** A remote cannot be reached or refuses for now. */
export class UnavailableError extends OtlpError {}
/** The deadline passed. */
export class TimeoutError extends OtlpError {}
/** The library, exporter or service is shut down. */
export class ClosedError extends OtlpError {}
/** A defect in otlp-arrow. */
export class InternalError extends OtlpError {}

/** The class of each code. */
export const ERROR_CLASSES: Readonly<Record<ErrorCode, typeof OtlpError>> = {
  INVALID_CONFIG: InvalidConfigError,
  BIND_FAILED: BindFailedError,
  INVALID_DATA: InvalidDataError,
  TOO_LARGE: TooLargeError,
  BUFFER_FULL: BufferFullError,
  STORAGE_FULL: StorageFullError,
  STORAGE_FAILED: StorageFailedError,
  UNAUTHENTICATED: UnauthenticatedError,
  FORBIDDEN: ForbiddenError,
  UNAVAILABLE: UnavailableError,
  TIMEOUT: TimeoutError,
  CLOSED: ClosedError,
  INTERNAL: InternalError,
};

/** The error a binding value stands for, its causes chained. */
export function fromBinding(error: BindingError): OtlpError {
  const code = (error.code in ERROR_CLASSES ? error.code : 'INTERNAL') as ErrorCode;
  let cause: Error | undefined;
  for (const text of error.causes.toReversed()) cause = new Error(text, cause ? { cause } : undefined);
  return new ERROR_CLASSES[code](code, error.message, error.retryable, cause ? { cause } : undefined);
}

/** Unwraps what the addon returned: the value, or the error it stands for is thrown. */
export function unwrap<T>(outcome: T | BindingError): T {
  if (typeof outcome === 'object' && outcome !== null && 'isBindingError' in outcome) throw fromBinding(outcome);
  return outcome as T;
}

/** Any thrown value as an {@link OtlpError}: what is none is a defect. */
export function asOtlpError(thrown: unknown): OtlpError {
  if (thrown instanceof OtlpError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new InternalError('INTERNAL', text, false, { cause: thrown });
}

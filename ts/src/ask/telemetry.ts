import type { RecordBatch, Table } from 'apache-arrow';
import type { BindingTelemetry } from '../../native/binding.cjs';
import { invalidConfig, shown } from '../arguments.js';
import { toJson } from '../config.js';
import { unwrap } from '../errors.js';
import type { OtlpConfig } from '../keys.js';
import { native } from '../native.js';
import type { Signal } from '../signal.js';
import { type ReadOptions, rowsOf, Snapshot } from '../snapshot.js';
import { asks } from './asked.js';
import { Questions } from './questions.js';

/** What questions may take: the keys below `query` of the configuration. */
export type QueryLimits = NonNullable<OtlpConfig['query']>;

/**
 * A directory that is asked, and not recorded into: while another process records into it, or long after. It needs no
 * writer and disturbs none, and does not keep the process alive.
 *
 * @example
 * const telemetry = await Telemetry.open('./telemetry');
 * const { services } = await telemetry.services({ from: '-1h' });
 */
export class Telemetry extends Questions implements Disposable {
  readonly #binding: BindingTelemetry;

  private constructor(binding: BindingTelemetry) {
    super(asks(() => binding));
    this.#binding = binding;
  }

  /**
   * Opens an output directory, which need not exist yet.
   *
   * @param outputDir where the files are; the configured one (`OTLP_ARROW_OUTPUT_DIR`, the configuration file) if left out
   * @param limits above those of the configuration
   */
  static async open(outputDir?: string, limits: QueryLimits = {}): Promise<Telemetry> {
    if (outputDir !== undefined && typeof outputDir !== 'string') {
      throw invalidConfig(`outputDir = ${shown(outputDir)}: use the path of a directory`);
    }
    const config: OtlpConfig = { query: limits };
    if (outputDir !== undefined) config.outputDir = outputDir;
    return new Telemetry(unwrap(await native.openTelemetry(toJson(config))));
  }

  /**
   * What is committed now, over live and sealed files alike: awaited, an apache-arrow `Table`; iterated with
   * `for await`, its record batches one by one.
   */
  read(signal: Signal, options: ReadOptions = {}): PromiseLike<Table> & AsyncIterable<RecordBatch> {
    return new Snapshot(this.readIpc(signal, options));
  }

  /** The same as the bytes of one Arrow IPC stream: awaited as a whole, or iterated in pieces. */
  readIpc(signal: Signal, options: ReadOptions = {}): PromiseLike<Uint8Array> & AsyncIterable<Uint8Array> {
    return rowsOf(this.#binding, signal, options);
  }

  /** Ends questions that are being answered, with CLOSED, and refuses others. */
  close(): void {
    this.#binding.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A small seeded generator (xorshift32): the same seed gives the same telemetry on every machine. */
export class Random {
  #state: number;
  readonly #ascii: boolean;

  constructor(seed: number, options: { ascii?: boolean } = {}) {
    this.#state = seed | 1;
    this.#ascii = options.ascii ?? false;
  }

  /** An integer from 0 up to, and without, `end`. */
  int(end: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % end;
  }

  bool(): boolean {
    return this.int(2) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(choices.length)]!;
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.int(16).toString(16)).join('');
  }

  list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.int(most + 1) }, make);
  }

  /** Text of every kind: empty, short, long and, unless only ASCII is wanted, other characters and a lone surrogate. */
  text(): string {
    switch (this.#ascii ? this.pick([0, 4, 5, 6, 7]) : this.int(8)) {
      case 0:
        return '';
      case 1:
        return 'é'.repeat(this.int(60));
      case 2:
        return '漢字🎉'.repeat(this.int(20));
      case 3:
        return `a\ud800b${this.hex(this.int(40))}`;
      case 4:
        return this.hex(this.int(7000));
      default:
        return this.hex(this.int(50));
    }
  }

  /** A value of any kind an attribute can have in JavaScript. */
  value(depth = 0): unknown {
    switch (this.int(depth > 3 ? 9 : 13)) {
      case 0:
        return this.bool();
      case 1:
        return this.int(2 ** 31) - 2 ** 30;
      case 2:
        return (this.int(2 ** 31) - 2 ** 30) * 2 ** this.int(33);
      case 3:
        return this.pick([
          Number.NaN,
          Number.POSITIVE_INFINITY,
          -0,
          0.1,
          5e-324,
          1.5,
          -1e300,
          2 ** 63,
          -(2 ** 63),
          2 ** 53,
        ]);
      case 4:
        return this.pick([null, undefined, () => 1, Symbol('s')]);
      case 5:
        return new Uint8Array(this.list(200, () => this.int(256)));
      case 6:
        return this.pick([new Date(5), new Map([[1, 2]]), new Float64Array([1.5, 2]), /x/, new Error('boom')]);
      case 7:
      case 8:
        return this.text();
      case 9:
        return this.list(6, () => this.value(depth + 1));
      case 10:
        return this.list(6, () => this.text());
      default:
        return this.attributes(depth + 1);
    }
  }

  attributes(depth = 0): { [key: string]: unknown } {
    return Object.fromEntries(
      this.list(12, () => [this.int(20) === 0 ? this.text() : `key.${this.int(50)}`, this.value(depth)]),
    );
  }

  time(): [number, number] {
    return [this.pick([0, 1, 1_700_000_000 + this.int(1000), 9_000_000_000]), this.int(1_000_000_000)];
  }
}

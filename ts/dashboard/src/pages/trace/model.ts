/** A trace as numbers: which rows are shown, self times, the critical path, operations put together. Pure. */
import type { Bar } from '../../wire.js';

/** A part of the critical path: a span from a time to a time, in nanoseconds from the start of the trace. */
export interface Segment {
  readonly from: number;
  readonly to: number;
}

/** Bars with what follows from them, by position. */
export interface Model {
  readonly bars: readonly Bar[];
  /** One behind the last bar of the subtree. */
  readonly end: Int32Array;
  /** Nanoseconds in which none of its children ran. */
  readonly self: Float64Array;
  readonly deepest: number;
  /** From the first start to the last end. */
  readonly duration: number;
  readonly at: ReadonlyMap<string, number>;
}

/** What follows from the bars of a trace, which are in the order of the tree. */
export function modelOf(bars: readonly Bar[]): Model {
  const count = bars.length;
  const end = new Int32Array(count);
  const self = new Float64Array(count);
  const at = new Map<string, number>();
  let deepest = 0;
  let duration = 0;
  for (let i = count - 1; i >= 0; i -= 1) {
    let next = i + 1;
    while (next < count && bars[next]!.depth > bars[i]!.depth) next = end[next]!;
    end[i] = next;
  }
  // Children come by start, so what they cover is found in one pass; it may lie outside of their parent.
  for (let i = 0; i < count; i += 1) {
    const bar = bars[i]!;
    at.set(bar.id, i);
    deepest = Math.max(deepest, bar.depth + 1);
    duration = Math.max(duration, bar.start + bar.duration);
    const stop = bar.start + bar.duration;
    let covered = 0;
    let until = bar.start;
    for (let child = i + 1; child < end[i]!; child = end[child]!) {
      const { start, duration } = bars[child]!;
      const from = Math.max(until, start);
      const to = Math.min(stop, start + duration);
      if (to > from) covered += to - from;
      until = Math.max(until, to);
    }
    self[i] = Math.max(0, bar.duration - covered);
  }
  return { bars, end, self, deepest, duration, at };
}

/** What of a tree is closed: everything from a level on, but for some; and some more. */
export interface Closed {
  /** Spans of this level and below are closed; undefined closes none. */
  readonly level?: number | undefined;
  /** Positions that are open in spite of the level. */
  readonly open: ReadonlySet<number>;
  /** Positions that are closed in spite of it. */
  readonly closed: ReadonlySet<number>;
}

/** Whether what is below a bar is hidden. */
export function isClosed({ bars }: Model, closed: Closed, at: number): boolean {
  if (closed.closed.has(at)) return true;
  return closed.level !== undefined && bars[at]!.depth + 1 >= closed.level && !closed.open.has(at);
}

/** Positions of the rows that are shown. `keep` has a 1 for each that is to be seen, where not all are: those above it are, too. */
export function rowsOf(model: Model, closed: Closed, root?: number, keep?: Uint8Array): Int32Array {
  const { bars, end } = model;
  const from = root ?? 0;
  const to = root === undefined ? bars.length : end[root]!;
  const rows = new Int32Array(to - from);
  let count = 0;
  for (let i = from; i < to; ) {
    if (keep && keep[i] === 0) {
      i += 1;
      continue;
    }
    rows[count] = i;
    count += 1;
    // While somebody searches, everything that was found is seen.
    i = !keep && isClosed(model, closed, i) ? end[i]! : i + 1;
  }
  return rows.slice(0, count);
}

/** Marks what is found, and everything above it. */
export function withAbove({ bars }: Model, found: Iterable<number>): Uint8Array {
  const keep = new Uint8Array(bars.length);
  for (const position of found) {
    let at: number | null = position;
    while (at !== null && at >= 0 && keep[at] === 0) {
      keep[at] = 1;
      at = bars[at]!.parent;
    }
  }
  return keep;
}

/** The positions at which `text` is in the name or the service, letter case aside. */
export function named({ bars }: Model, text: string): number[] {
  const wanted = text.toLowerCase();
  const found: number[] = [];
  bars.forEach(({ name, service }, i) => {
    if (name.toLowerCase().includes(wanted) || service.toLowerCase().includes(wanted)) found.push(i);
  });
  return found;
}

/** The next of `found`, which ascend, behind a position, or before it; round from the end to the beginning. */
export function next(found: readonly number[], from: number | undefined, back = false): number | undefined {
  if (found.length === 0) return undefined;
  if (from === undefined) return back ? found.at(-1) : found[0];
  if (back) return found.findLast(at => at < from) ?? found.at(-1);
  return found.find(at => at > from) ?? found[0];
}

/**
 * What the end of the trace waited for: from the end backwards, the child that ended last before the time at hand, and what is left of
 * the span itself between its children.
 */
export function criticalPath({ bars, end, duration }: Model): ReadonlyMap<number, readonly Segment[]> {
  const path = new Map<number, Segment[]>();
  const add = (at: number, from: number, to: number) => {
    if (to > from && at >= 0) path.set(at, [...(path.get(at) ?? []), { from, to }]);
  };
  const childrenOf = (at: number): number[] => {
    const children: number[] = [];
    const to = at < 0 ? bars.length : end[at]!;
    for (let child = at + 1; child < to; child = end[child]!) children.push(child);
    return children.sort((a, b) => bars[b]!.start + bars[b]!.duration - bars[a]!.start - bars[a]!.duration);
  };
  // Recursion would be as deep as the trace: a task is a span, with the children that were not looked at, and the time at hand.
  interface Task {
    readonly at: number;
    readonly children: number[];
    next: number;
    time: number;
  }
  const begin = (at: number, time: number): Task => ({ at, children: childrenOf(at), next: 0, time });
  const tasks: Task[] = [begin(-1, duration)];
  while (tasks.length > 0) {
    const task = tasks.at(-1)!;
    const start = task.at < 0 ? 0 : bars[task.at]!.start;
    const isFirst = task.next === 0 && task.children.length > 0;
    let chosen: number | undefined;
    while (task.next < task.children.length && chosen === undefined) {
      const child = task.children[task.next]!;
      task.next += 1;
      const bar = bars[child]!;
      const stop = bar.start + bar.duration;
      // What goes on behind its parent counts up to that end; what ran beside another child was not waited for.
      if (bar.start < task.time && (stop <= task.time || isFirst) && Math.min(stop, task.time) > start) chosen = child;
    }
    if (chosen === undefined) {
      add(task.at, start, task.time);
      tasks.pop();
      continue;
    }
    const bar = bars[chosen]!;
    const stop = Math.min(bar.start + bar.duration, task.time);
    add(task.at, stop, task.time);
    task.time = Math.max(start, bar.start);
    tasks.push(begin(chosen, stop));
  }
  return path;
}

/** One operation of a trace. */
export interface Operation {
  readonly service: string;
  readonly name: string;
  readonly count: number;
  readonly errors: number;
  /** Of all of its spans together. */
  readonly self: number;
  readonly total: number;
  /** Position of the one that took longest. */
  readonly longest: number;
}

/** Operations by the time that was spent in them and in nothing below. */
export function operations({ bars, self }: Model, from = 0, to = bars.length): Operation[] {
  const found = new Map<string, { -readonly [K in keyof Operation]: Operation[K] }>();
  for (let i = from; i < to; i += 1) {
    const { service, name, duration, status } = bars[i]!;
    const key = `${service}\u0000${name}`;
    const operation = found.get(key);
    const failed = status === 'error' ? 1 : 0;
    if (!operation)
      found.set(key, { service, name, count: 1, errors: failed, self: self[i]!, total: duration, longest: i });
    else {
      operation.count += 1;
      operation.errors += failed;
      operation.self += self[i]!;
      operation.total += duration;
      if (duration > bars[operation.longest]!.duration) operation.longest = i;
    }
  }
  return [...found.values()].sort((a, b) => b.self - a.self || (a.name < b.name ? -1 : 1));
}

/** A box of the flame graph: spans of one operation below the same operations. */
export interface Flame {
  readonly service: string;
  readonly name: string;
  readonly depth: number;
  /** Where it begins, and how wide it is, as shares of the whole. */
  x: number;
  width: number;
  count: number;
  errors: number;
  /** Nanoseconds in these spans and in nothing below them, and with everything below. */
  self: number;
  total: number;
  readonly parent: number;
  /** The position of its first span. */
  readonly first: number;
}

/** Spans of the same operation below the same operations as one box, as wide as the time that was spent in it and below it. */
export function flames({ bars, self }: Model, from = 0, to = bars.length): Flame[] {
  const boxes: Flame[] = [];
  const children: Map<string, number>[] = [];
  const roots = new Map<string, number>();
  const boxOf = new Int32Array(to - from);
  for (let i = from; i < to; i += 1) {
    const { service, name, parent, status } = bars[i]!;
    const above = parent === null || parent < from ? -1 : boxOf[parent - from]!;
    const siblings = above < 0 ? roots : children[above]!;
    const key = `${service}\u0000${name}`;
    let box = siblings.get(key);
    if (box === undefined) {
      box = boxes.length;
      boxes.push({
        service,
        name,
        depth: above < 0 ? 0 : boxes[above]!.depth + 1,
        x: 0,
        width: 0,
        count: 0,
        errors: 0,
        self: 0,
        total: 0,
        parent: above,
        first: i,
      });
      children.push(new Map());
      siblings.set(key, box);
    }
    boxOf[i - from] = box;
    const found = boxes[box]!;
    found.count += 1;
    found.self += self[i]!;
    if (status === 'error') found.errors += 1;
  }
  // A box comes behind the one it is in.
  for (let box = boxes.length - 1; box >= 0; box -= 1) {
    const found = boxes[box]!;
    found.total += found.self;
    if (found.parent >= 0) boxes[found.parent]!.total += found.total;
  }
  const whole = boxes.reduce((sum, { depth, total }) => sum + (depth === 0 ? total : 0), 0) || 1;
  const place = (siblings: Map<string, number>, x: number) => {
    let left = x;
    for (const box of [...siblings.values()].sort((a, b) => boxes[b]!.total - boxes[a]!.total)) {
      boxes[box]!.x = left;
      boxes[box]!.width = boxes[box]!.total / whole;
      left += boxes[box]!.width;
    }
  };
  place(roots, 0);
  boxes.forEach(({ x }, box) => {
    place(children[box]!, x);
  });
  return boxes;
}

/** Round durations between two, about `most` of them, for an axis. */
export function ticks(from: number, to: number, most: number): number[] {
  const rough = (to - from) / Math.max(1, most);
  if (!(rough > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(step => step >= rough) ?? power * 10;
  const found: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to && found.length < 50; tick += step) found.push(tick);
  return found;
}

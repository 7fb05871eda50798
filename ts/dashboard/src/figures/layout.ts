/** Where the nodes of a graph are drawn: in columns, callers to the left of what they call, with few crossings. Pure and deterministic. */

export interface Link {
  readonly from: string;
  readonly to: string;
}

/** The middle of a node. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly column: number;
}

export interface Layout {
  readonly places: ReadonlyMap<string, Place>;
  /** The way of each link, in the order they were given: points from the right of its first node to the left of its second one. */
  readonly ways: readonly (readonly (readonly [x: number, y: number])[])[];
  readonly width: number;
  readonly height: number;
}

/** Sizes in pixels. */
export interface Sizes {
  readonly width: number;
  readonly height: number;
  readonly columnGap: number;
  readonly rowGap: number;
}

export const SIZES: Sizes = { width: 176, height: 52, columnGap: 164, rowGap: 22 };

/** How often columns are sorted by their neighbours. */
const SWEEPS = 8;

/** A node, or a point that a link over several columns goes through. */
interface Cell {
  readonly id: string;
  readonly column: number;
  row: number;
  readonly before: Cell[];
  readonly behind: Cell[];
  readonly isNode: boolean;
}

/** Links that lead back, found by going along them: without these there is no circle. */
function backward(names: readonly string[], links: readonly Link[]): Set<number> {
  const out = new Map<string, number[]>(names.map(name => [name, []]));
  links.forEach(({ from, to }, at) => {
    if (from !== to && out.has(to)) out.get(from)?.push(at);
  });
  const back = new Set<number>();
  const state = new Map<string, 'open' | 'done'>();
  // What nobody calls comes first, so that the circle is opened where it is entered.
  const called = new Set(links.filter(({ from, to }) => from !== to).map(({ to }) => to));
  const first = [...names.filter(name => !called.has(name)), ...names];
  for (const root of first) {
    if (state.has(root)) continue;
    // A stack of our own: a chain may be longer than the one of the engine.
    const stack: { name: string; next: number }[] = [{ name: root, next: 0 }];
    state.set(root, 'open');
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const ways = out.get(top.name)!;
      if (top.next === ways.length) {
        state.set(top.name, 'done');
        stack.pop();
        continue;
      }
      const at = ways[top.next++]!;
      const { to } = links[at]!;
      if (state.get(to) === 'open') back.add(at);
      else if (!state.has(to)) {
        state.set(to, 'open');
        stack.push({ name: to, next: 0 });
      }
    }
  }
  return back;
}

/** The column of each node: one behind the last of those that call it. */
function columns(names: readonly string[], links: readonly Link[], back: ReadonlySet<number>): Map<string, number> {
  const column = new Map(names.map(name => [name, 0]));
  const waits = new Map(names.map(name => [name, 0]));
  const out = new Map<string, string[]>(names.map(name => [name, []]));
  links.forEach(({ from, to }, at) => {
    if (from === to || !column.has(from) || !column.has(to)) return;
    const [a, b] = back.has(at) ? [to, from] : [from, to];
    out.get(a)!.push(b);
    waits.set(b, waits.get(b)! + 1);
  });
  const ready = names.filter(name => waits.get(name) === 0);
  for (let name = ready.shift(); name !== undefined; name = ready.shift()) {
    for (const next of out.get(name)!) {
      column.set(next, Math.max(column.get(next)!, column.get(name)! + 1));
      waits.set(next, waits.get(next)! - 1);
      if (waits.get(next) === 0) ready.push(next);
    }
  }
  return column;
}

/** Sorts a column by the middle of its neighbours. What has none stays where it is. */
function settle(cells: Cell[], neighbours: (cell: Cell) => readonly Cell[]): void {
  const wish = new Map<Cell, number>();
  for (const cell of cells) {
    const rows = neighbours(cell).map(({ row }) => row);
    wish.set(cell, rows.length === 0 ? cell.row : rows.reduce((sum, row) => sum + row, 0) / rows.length);
  }
  cells.sort((a, b) => wish.get(a)! - wish.get(b)! || a.row - b.row);
  cells.forEach((cell, row) => {
    cell.row = row;
  });
}

/** How many pairs of links cross between neighbouring columns. */
function crossings(grid: readonly (readonly Cell[])[]): number {
  let found = 0;
  for (const cells of grid) {
    const ends = cells.flatMap(cell => cell.behind.map(({ row }) => [cell.row, row] as const));
    for (let a = 0; a < ends.length; a++) {
      for (let b = a + 1; b < ends.length; b++) {
        const [from, to] = ends[a]!;
        const [other, end] = ends[b]!;
        if ((from - other) * (to - end) < 0) found++;
      }
    }
  }
  return found;
}

/** The order in each column, of several tries the one with the fewest crossings. */
function order(grid: Cell[][]): void {
  let best = { crossings: crossings(grid), rows: grid.map(cells => [...cells]) };
  for (let sweep = 0; sweep < SWEEPS && best.crossings > 0; sweep++) {
    if (sweep % 2 === 0) for (const cells of grid.slice(1)) settle(cells, ({ before }) => before);
    else for (const cells of grid.slice(0, -1).reverse()) settle(cells, ({ behind }) => behind);
    const now = crossings(grid);
    if (now < best.crossings) best = { crossings: now, rows: grid.map(cells => [...cells]) };
  }
  best.rows.forEach((cells, column) => {
    cells.forEach((cell, row) => {
      cell.row = row;
    });
    grid[column] = cells;
  });
}

/** Draws the graph of these nodes. Links to nodes that are not there have no way. */
export function layout(names: readonly string[], links: readonly Link[], sizes: Sizes = SIZES): Layout {
  const back = backward(names, links);
  const column = columns(names, links, back);
  const count = names.length === 0 ? 0 : Math.max(...column.values()) + 1;
  const grid: Cell[][] = Array.from({ length: count }, () => []);
  const put = (id: string, at: number, isNode: boolean): Cell => {
    const cell: Cell = { id, column: at, row: grid[at]!.length, before: [], behind: [], isNode };
    grid[at]!.push(cell);
    return cell;
  };
  const nodes = new Map(names.map(name => [name, put(name, column.get(name)!, true)]));
  const trails = links.map(({ from, to }, at): Cell[] => {
    const ends = [nodes.get(from), nodes.get(to)];
    if (!ends[0] || !ends[1] || from === to) return [];
    const [a, b] = (back.has(at) ? [ends[1], ends[0]] : ends) as [Cell, Cell];
    const trail = [a];
    for (let between = a.column + 1; between < b.column; between++) trail.push(put(`${from}>${to}`, between, false));
    trail.push(b);
    for (let next = 1; next < trail.length; next++) {
      trail[next - 1]!.behind.push(trail[next]!);
      trail[next]!.before.push(trail[next - 1]!);
    }
    return back.has(at) ? trail.reverse() : trail;
  });
  order(grid);
  // A point that is only gone through needs less room than a node.
  const heightOf = (cell: Cell) => (cell.isNode ? sizes.height : sizes.rowGap);
  const total = (cells: readonly Cell[]) =>
    cells.reduce((sum, cell) => sum + heightOf(cell), 0) + Math.max(0, cells.length - 1) * sizes.rowGap;
  const height = Math.max(0, ...grid.map(total));
  const middle = new Map<Cell, readonly [number, number]>();
  grid.forEach((cells, at) => {
    let y = (height - total(cells)) / 2;
    const x = at * (sizes.width + sizes.columnGap) + sizes.width / 2;
    for (const cell of cells) {
      middle.set(cell, [x, y + heightOf(cell) / 2]);
      y += heightOf(cell) + sizes.rowGap;
    }
  });
  const places = new Map<string, Place>();
  for (const [name, cell] of nodes) {
    const [x, y] = middle.get(cell)!;
    places.set(name, { x, y, column: cell.column });
  }
  const ways = trails.map(trail => {
    const forward = trail.length < 2 || trail[0]!.column < trail.at(-1)!.column;
    const side = (forward ? 1 : -1) * (sizes.width / 2);
    return trail.map((cell, at): readonly [number, number] => {
      const [x, y] = middle.get(cell)!;
      if (at === 0) return [x + side, y];
      return at === trail.length - 1 ? [x - side, y] : [x, y];
    });
  });
  const width = count === 0 ? 0 : count * sizes.width + (count - 1) * sizes.columnGap;
  return { places, ways, width, height };
}

/** A way as the path of an SVG: level where it leaves and arrives. */
export function curve(way: readonly (readonly [number, number])[]): string {
  const [first, ...rest] = way;
  if (!first) return '';
  let path = `M${round(first[0])},${round(first[1])}`;
  let [x, y] = first;
  for (const [toX, toY] of rest) {
    const half = (toX - x) / 2;
    path += `C${round(x + half)},${round(y)} ${round(toX - half)},${round(toY)} ${round(toX)},${round(toY)}`;
    [x, y] = [toX, toY];
  }
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;

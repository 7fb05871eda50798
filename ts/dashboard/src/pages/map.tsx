/** Which services call which: a picture, and the same numbers as a table. */
import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { together, useAnswer } from '../api.js';
import { curve, layout, SIZES } from '../figures/layout.js';
import { Drawer } from '../frame/drawer.js';
import { tint } from '../parts/colours.js';
import { exactly } from '../parts/filter.js';
import { ServiceName } from '../parts/service.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { line } from '../parts/text.js';
import { count, duration, percent, plural, rate } from '../parts/time.js';
import { useKeys } from '../state/keys.js';
import { rangeWords } from '../state/range.js';
import { href, picked, set, word } from '../state/url.js';
import type { Edge, MapNode, ServiceMap } from '../wire.js';

/** What a node is called that is not a service. */
const KINDS = { service: 'service', database: 'database', messaging: 'queue', external: 'not instrumented' } as const;

/** Names of nodes are not unique: a database may be called like a service. */
const idOf = (name: string, kind: string): string => `${kind === 'service' ? '' : `${kind}:`}${name}`;
const from = (edge: Edge): string => idOf(edge.from, 'service');
const to = (edge: Edge): string => idOf(edge.to, edge.to_kind);
const edgeId = (edge: Edge): string => `${from(edge)} → ${to(edge)}${edge.kind === 'link' ? ' (link)' : ''}`;

export default function MapPage(): JSX.Element {
  const { answer, error, stale, again } = useAnswer<ServiceMap>(
    '/services/map',
    together(rangeWords(), picked(['service'])),
  );
  const isTable = word('view') === 'table';
  useKeys('Map', [{ key: 't', text: 'Picture or table', act: () => set({ view: isTable ? null : 'table' }) }]);
  if (error && !answer) return <Wrong error={error} again={again} />;
  if (!answer) return <Loading />;
  if (answer.nodes.length === 0) {
    return (
      <section class="page">
        <header class="page-head">
          <h1>Map</h1>
        </header>
        <Empty title="No service sent a span in this time">
          <p>
            The map is made of spans: an edge is a span of another service than its parent. Choose a longer time, or
            send spans.
          </p>
          <Hints searched={answer.searched} />
        </Empty>
      </section>
    );
  }
  const edges = [...answer.edges].sort((a, b) => b.requests - a.requests);
  const node = word('node');
  const edge = edges.find(edge => edgeId(edge) === word('edge'));
  const chosen = answer.nodes.find(({ name, kind }) => idOf(name, kind) === node);
  return (
    <>
      <section class={`page scroll map ${stale ? 'stale' : ''}`}>
        <header class="page-head">
          <h1>Map</h1>
          <span class="quiet">
            {plural(answer.nodes.length, 'node')}, {plural(edges.length, 'edge')}
          </span>
          <Views isTable={isTable} />
        </header>
        <SearchedNote searched={answer.searched} />
        {error && <Wrong error={error} again={again} />}
        {isTable ? (
          <Table edges={edges} />
        ) : (
          <Picture nodes={answer.nodes} edges={edges} chosen={node} chosenEdge={word('edge')} />
        )}
      </section>
      {chosen && <NodeDrawer node={chosen} edges={edges} />}
      {edge && <EdgeDrawer edge={edge} />}
    </>
  );
}

function Views({ isTable }: { isTable: boolean }): JSX.Element {
  return (
    <div class="tabs" role="group" aria-label="View">
      <button type="button" aria-pressed={!isTable} onClick={() => set({ view: null })}>
        Picture
      </button>
      <button type="button" aria-pressed={isTable} onClick={() => set({ view: 'table' })}>
        Table
      </button>
    </div>
  );
}

const choose = (change: { node?: string; edge?: string }): void =>
  set({ node: change.node ?? null, edge: change.edge ?? null });

/** Room around the picture. */
const MARGIN = 24;

function Picture({
  nodes,
  edges,
  chosen,
  chosenEdge,
}: {
  readonly nodes: readonly MapNode[];
  readonly edges: readonly Edge[];
  readonly chosen: string | undefined;
  readonly chosenEdge: string | undefined;
}): JSX.Element {
  const box = useRef<SVGSVGElement>(null);
  // What is in sight stays where it is while numbers change.
  const shape = `${nodes.map(({ name, kind }) => idOf(name, kind)).join('\n')}\n\n${edges.map(edgeId).sort().join('\n')}`;
  const drawn = useMemo(() => {
    const links = [...edges].sort((a, b) => (edgeId(a) < edgeId(b) ? -1 : 1));
    const made = layout(
      nodes.map(({ name, kind }) => idOf(name, kind)),
      links.map(edge => ({ from: from(edge), to: to(edge) })),
    );
    return {
      places: made.places,
      ways: new Map(links.map((edge, at) => [edgeId(edge), made.ways[at]!])),
      width: made.width,
      height: made.height,
    };
  }, [shape]);
  const most = Math.max(...edges.map(({ rate }) => rate), 1e-9);
  const isNear = (edge: Edge) =>
    chosenEdge !== undefined
      ? edgeId(edge) === chosenEdge
      : chosen === undefined || from(edge) === chosen || to(edge) === chosen;
  const near = new Set(
    chosen === undefined && chosenEdge === undefined
      ? []
      : edges.filter(isNear).flatMap(edge => [from(edge), to(edge)]),
  );
  const ordered = [...nodes].sort((a, b) => {
    const [one, other] = [drawn.places.get(idOf(a.name, a.kind))!, drawn.places.get(idOf(b.name, b.kind))!];
    return one.column - other.column || one.y - other.y;
  });
  const move = (event: KeyboardEvent, at: string) => {
    const towards = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!towards) return;
    event.preventDefault();
    const here = drawn.places.get(at)!;
    let best: { id: string; far: number } | undefined;
    for (const [id, { x, y }] of drawn.places) {
      const [along, across] = [
        (x - here.x) * towards[0]! + (y - here.y) * towards[1]!,
        Math.abs((x - here.x) * towards[1]! + (y - here.y) * towards[0]!),
      ];
      if (along > 1 && (best === undefined || along + 2 * across < best.far)) best = { id, far: along + 2 * across };
    }
    if (best) box.current?.querySelector<SVGGElement>(`[data-node="${CSS.escape(best.id)}"]`)?.focus();
  };
  return (
    <>
      <div class="map-box-scroll">
        <svg
          ref={box}
          class="map-picture"
          width={drawn.width + 2 * MARGIN}
          height={drawn.height + 2 * MARGIN + 20}
          viewBox={`${-MARGIN} ${-MARGIN} ${drawn.width + 2 * MARGIN} ${drawn.height + 2 * MARGIN + 20}`}
          role="group"
          aria-label="Services and what they call; arrow keys go from one to the next, and the table has the same numbers"
        >
          <defs>
            <marker
              id="arrow"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              orient="auto"
              markerUnits="userSpaceOnUse"
            >
              <path d="M1 1 7 4 1 7" class="map-arrow" />
            </marker>
          </defs>
          {edges.map(edge => {
            const way = drawn.ways.get(edgeId(edge)) ?? [];
            const loop = from(edge) === to(edge);
            const place = drawn.places.get(from(edge));
            const path = loop && place ? `M${place.x - 24},${place.y + SIZES.height / 2}c-8,26 56,26 48,0` : curve(way);
            const dim = (chosen !== undefined || chosenEdge !== undefined) && !isNear(edge);
            return (
              <g
                key={edgeId(edge)}
                class={`map-edge ${edge.errors > 0 ? 'error' : ''} ${edge.kind} ${dim ? 'dim' : ''}`}
                onClick={() => choose({ edge: edgeId(edge) })}
              >
                <path class="map-hit" d={path} />
                <path
                  class="map-line"
                  d={path}
                  stroke-width={1 + 3 * Math.sqrt(edge.rate / most)}
                  marker-end="url(#arrow)"
                />
              </g>
            );
          })}
          {edges.map(edge => {
            const way = drawn.ways.get(edgeId(edge)) ?? [];
            const middle = middleOf(way);
            if (!middle) return null;
            const dim = (chosen !== undefined || chosenEdge !== undefined) && !isNear(edge);
            return (
              <text
                key={edgeId(edge)}
                class={`map-label ${dim ? 'dim' : ''} ${edge.errors > 0 ? 'error' : ''}`}
                x={middle[0]}
                y={middle[1] - 5}
                text-anchor="middle"
                aria-hidden="true"
              >
                {rate(edge.rate)}
                {edge.p95 !== null && ` · ${duration(edge.p95)}`}
                {edge.errors > 0 && ` · ${percent(edge.error_share)}`}
              </text>
            );
          })}
          {ordered.map(node => {
            const id = idOf(node.name, node.kind);
            const { x, y } = drawn.places.get(id)!;
            const dim = near.size > 0 && !near.has(id) && id !== chosen;
            const label = line(node.name) || 'no name';
            const incoming = edges.filter(edge => to(edge) === id);
            const requests = incoming.reduce((sum, edge) => sum + edge.rate, 0);
            const under =
              node.kind === 'service'
                ? `${plural(node.spans, 'span')}${node.errors > 0 ? `, ${plural(node.errors, 'error')}` : ''}`
                : `${KINDS[node.kind]} · ${rate(requests)}`;
            return (
              // biome-ignore lint/a11y/useSemanticElements: a part of a picture cannot be an element of HTML
              <g
                key={id}
                data-node={id}
                class={`map-node ${node.kind} ${id === chosen ? 'chosen' : ''} ${dim ? 'dim' : ''}`}
                style={tint(node.name)}
                transform={`translate(${x - SIZES.width / 2} ${y - SIZES.height / 2})`}
                role="button"
                tabindex={0}
                aria-pressed={id === chosen}
                onClick={() => choose(id === chosen ? {} : { node: id })}
                onKeyDown={event => {
                  if (event.key === 'Enter' || event.key === ' ') {
                    event.preventDefault();
                    choose(id === chosen ? {} : { node: id });
                  } else if (event.key === 'Escape' && chosen !== undefined) choose({});
                  else move(event, id);
                }}
              >
                <title>{`${label}, ${under}`}</title>
                <rect class="map-box" width={SIZES.width} height={SIZES.height} rx={8} />
                <rect class="map-tint" width={4} height={SIZES.height - 16} x={7} y={8} rx={2} />
                <text class="map-name" x={20} y={22} aria-hidden="true">
                  {cut(label, 17)}
                </text>
                <text class={`map-under ${node.errors > 0 ? 'error' : ''}`} x={20} y={39} aria-hidden="true">
                  {cut(under, 25)}
                </text>
              </g>
            );
          })}
        </svg>
      </div>
      <p class="map-legend quiet">
        Width: requests a second. Labels: rate, 95th percentile, share of errors. Red: some failed. Dashed: a link
        between spans.
      </p>
    </>
  );
}

const cut = (text: string, most: number): string =>
  [...text].length > most ? `${[...text].slice(0, most - 1).join('')}…` : text;

/** Where a label stands in no node's way: in the middle of the last stretch, where links from one node have parted. */
function middleOf(way: readonly (readonly [number, number])[]): readonly [number, number] | undefined {
  const [a, b] = way.slice(-2);
  if (!a || !b) return undefined;
  const share = 0.5;
  const eased = share * share * (3 - 2 * share);
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * eased];
}

function Table({ edges }: { edges: readonly Edge[] }): JSX.Element {
  return (
    <div class="table-box">
      <table class="table">
        <caption class="hidden">Calls from one service to another</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col" class="number">
              Requests
            </th>
            <th scope="col" class="number">
              Rate
            </th>
            <th scope="col" class="number">
              Errors
            </th>
            <th scope="col" class="number">
              p50
            </th>
            <th scope="col" class="number">
              p95
            </th>
            <th scope="col" class="number">
              p99
            </th>
          </tr>
        </thead>
        <tbody>
          {edges.map(edge => (
            <tr key={edgeId(edge)} class={edgeId(edge) === word('edge') ? 'chosen' : ''}>
              <td>
                <ServiceName name={edge.from} />
              </td>
              <td>
                <button type="button" class="plain" onClick={() => choose({ edge: edgeId(edge) })}>
                  <ServiceName name={edge.to} />
                </button>
                {(edge.to_kind !== 'service' || edge.kind === 'link') && (
                  <span class="quiet"> {edge.kind === 'link' ? 'link' : KINDS[edge.to_kind]}</span>
                )}
              </td>
              <td class="number">{count(edge.requests)}</td>
              <td class="number">{rate(edge.rate)}</td>
              <td class={`number ${edge.errors > 0 ? 'error' : ''}`}>{percent(edge.error_share)}</td>
              <td class="number">{duration(edge.p50)}</td>
              <td class="number">{duration(edge.p95)}</td>
              <td class="number">{duration(edge.p99)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NodeDrawer({ node, edges }: { node: MapNode; edges: readonly Edge[] }): JSX.Element {
  const id = idOf(node.name, node.kind);
  const [into, out] = [
    edges.filter(edge => to(edge) === id),
    edges.filter(edge => from(edge) === id && from(edge) !== to(edge)),
  ];
  const isService = node.kind === 'service';
  const asked = { service: exactly(node.name) };
  return (
    <Drawer title={line(node.name) || 'no name'} onClose={() => choose({})}>
      <dl class="facts">
        <dt>Kind</dt>
        <dd>{KINDS[node.kind]}</dd>
        {isService && (
          <>
            <dt>Spans</dt>
            <dd>{count(node.spans)}</dd>
            <dt>Errors</dt>
            <dd class={node.errors > 0 ? 'error' : ''}>{count(node.errors)}</dd>
          </>
        )}
      </dl>
      {isService && (
        <p class="links">
          <a href={href('traces', asked)}>Traces</a> <a href={href('logs', asked)}>Logs</a>{' '}
          <a href={href('errors', asked)}>Errors</a> <a href={href('metrics', asked)}>Metrics</a>
        </p>
      )}
      <EdgeList title="Called by" edges={into} nameOf={edge => edge.from} />
      <EdgeList title="Calls" edges={out} nameOf={edge => edge.to} />
    </Drawer>
  );
}

function EdgeList({
  title,
  edges,
  nameOf,
}: {
  title: string;
  edges: readonly Edge[];
  nameOf: (edge: Edge) => string;
}): JSX.Element | null {
  if (edges.length === 0) return null;
  return (
    <section>
      <h3>
        {title} <span class="quiet">{edges.length}</span>
      </h3>
      <ul class="edge-list">
        {edges.map(edge => (
          <li key={edgeId(edge)}>
            <button type="button" class="plain" onClick={() => choose({ edge: edgeId(edge) })}>
              <ServiceName name={nameOf(edge)} />
            </button>
            <span class="number">{rate(edge.rate)}</span>
            <span class={`number ${edge.errors > 0 ? 'error' : ''}`}>{percent(edge.error_share)}</span>
            <span class="number">{duration(edge.p95)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function EdgeDrawer({ edge }: { edge: Edge }): JSX.Element {
  // The side that is called tells of it; what sends nothing itself is told of by who calls.
  const service = edge.to_kind === 'service' ? edge.to : edge.from;
  const asked = { service: exactly(service), kind: edge.to_kind === 'service' ? null : ['client', 'producer'] };
  return (
    <Drawer title={`${line(edge.from) || 'no name'} → ${line(edge.to) || 'no name'}`} onClose={() => choose({})}>
      <dl class="facts">
        <dt>{edge.kind === 'link' ? 'Links' : 'Requests'}</dt>
        <dd>{count(edge.requests)}</dd>
        <dt>Rate</dt>
        <dd>{rate(edge.rate)}</dd>
        <dt>Errors</dt>
        <dd class={edge.errors > 0 ? 'error' : ''}>
          {count(edge.errors)} ({percent(edge.error_share)})
        </dd>
        <dt>p50</dt>
        <dd>{duration(edge.p50)}</dd>
        <dt>p95</dt>
        <dd>{duration(edge.p95)}</dd>
        <dt>p99</dt>
        <dd>{duration(edge.p99)}</dd>
      </dl>
      <p class="links">
        <a href={href('traces', asked)}>Traces of {line(service)}</a>
        {edge.errors > 0 && <a href={href('traces', { ...asked, status: 'error' })}>Those that failed</a>}
      </p>
    </Drawer>
  );
}

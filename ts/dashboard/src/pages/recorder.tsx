/** The recorder itself: what it keeps, whether it is well, and its destinations, which can be paused, resumed and asked again. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, act, at, useAnswer } from '../api.js';
import { Copy } from '../parts/copy.js';
import { Empty, Loading, Wrong } from '../parts/states.js';
import { clean, line } from '../parts/text.js';
import { bytes, count, duration } from '../parts/time.js';
import type { Recorder } from '../wire.js';

const SIGNALS = ['traces', 'metrics', 'logs'] as const;
type Signal = (typeof SIGNALS)[number];
type BySignal = { readonly [signal in Signal]?: number };

/** Of `stats`, what is shown here. */
interface Stats {
  readonly accepted_records: BySignal;
  readonly committed_records: BySignal;
  readonly waiting_records: BySignal;
  readonly dropped_records: BySignal;
  readonly refused_records: BySignal;
  readonly disk_bytes: BySignal;
  readonly buffer_bytes: number;
  readonly buffer_max_bytes: number;
  readonly unsealed_files: number;
  readonly events: { readonly [event: string]: number };
}

interface Destination {
  readonly name: string;
  readonly state: 'closed' | 'open' | 'half_open';
  readonly paused: boolean;
  readonly troubled: boolean;
  readonly lag_records: number;
  readonly lag_seconds: number;
  readonly evicted_records: number;
  readonly rejected_requests: number;
  readonly last_error: string | null;
}

interface Problem {
  readonly part?: string;
  readonly signal?: string;
  readonly destination?: string;
  readonly code?: string;
  readonly message?: string;
}

export default function RecorderPage(): JSX.Element {
  const { answer, error, again } = useAnswer<Recorder>('/recorder');
  if (error && !answer) return <Wrong error={error} again={again} />;
  if (!answer) return <Loading />;
  const stats = answer.stats as Stats | null;
  return (
    <section class="page scroll recorder">
      <header class="page-head">
        <h1>Recorder</h1>
        <span class="quiet">otlp-arrow {answer.version}</span>
        {answer.health && <Status status={answer.health.status} />}
      </header>
      {error && <Wrong error={error} again={again} />}
      <p class="directory">
        <span class="quiet">Directory</span> <code>{clean(answer.output_dir)}</code>
        <Copy text={answer.output_dir} label="Copy the directory" />
      </p>
      {answer.health?.problems.map((problem, at) => (
        <Trouble key={at} problem={problem as Problem} />
      ))}
      {stats ? (
        <Kept stats={stats} maxBytes={answer.retention?.max_bytes} />
      ) : (
        <Empty title="Nothing records here">
          <p>
            This is a directory that is looked at. <code>otlp-arrow serve</code> records into one and shows here how it
            is.
          </p>
        </Empty>
      )}
      {stats && <Destinations all={answer.destinations as unknown as readonly Destination[]} again={again} />}
      {stats && <Limits recorder={answer} />}
      {stats && <Events events={stats.events} />}
    </section>
  );
}

const STATES: { readonly [status: string]: readonly [text: string, style: string] } = {
  ok: ['Everything works', 'good'],
  degraded: ['Data is kept; something else does not work', 'warned'],
  error: ['New data is refused', 'bad'],
  closed: ['Shut down', 'bad'],
};

function Status({ status }: { status: string }): JSX.Element {
  const [text, style] = STATES[status] ?? [status, 'warned'];
  return (
    <span class={`status ${style}`} role="status">
      {text}
    </span>
  );
}

function Trouble({ problem }: { problem: Problem }): JSX.Element {
  const about = [problem.part, problem.signal, problem.destination].filter(Boolean).join(' · ');
  return (
    <div class="trouble" role="alert">
      <b>{line(about)}</b> {clean(problem.message ?? '')} {problem.code && <code>{problem.code}</code>}
    </div>
  );
}

const sum = (by: BySignal | undefined): number => SIGNALS.reduce((sum, signal) => sum + (by?.[signal] ?? 0), 0);

function Kept({ stats, maxBytes }: { stats: Stats; maxBytes: number | undefined }): JSX.Element {
  const rows: readonly (readonly [keyof Stats, string, string])[] = [
    ['accepted_records', 'Accepted', 'acknowledged since the recorder was started'],
    ['committed_records', 'In files', ''],
    ['waiting_records', 'In memory', 'a crash would lose these (durability buffered)'],
    ['refused_records', 'Refused', 'not accepted: invalid, or no room in time'],
    ['dropped_records', 'Dropped', 'acknowledged and lost'],
  ];
  const disk = sum(stats.disk_bytes);
  return (
    <>
      <div class="cards">
        <Tile
          name="On disk"
          value={bytes(disk)}
          share={maxBytes ? disk / maxBytes : undefined}
          of={maxBytes ? `of ${bytes(maxBytes)}` : ''}
        />
        <Tile
          name="Memory for arriving data"
          value={bytes(stats.buffer_bytes)}
          share={stats.buffer_bytes / Math.max(1, stats.buffer_max_bytes)}
          of={`of ${bytes(stats.buffer_max_bytes)}`}
        />
        <Tile name="Files not sealed yet" value={count(stats.unsealed_files)} />
        <Tile name="Refused" value={count(sum(stats.refused_records))} bad={sum(stats.refused_records) > 0} />
        <Tile name="Dropped" value={count(sum(stats.dropped_records))} bad={sum(stats.dropped_records) > 0} />
      </div>
      <div class="table-box">
        <table class="table narrow">
          <caption class="hidden">Records by signal</caption>
          <thead>
            <tr>
              <th scope="col">Records</th>
              {SIGNALS.map(signal => (
                <th key={signal} scope="col" class="number">
                  {signal}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([key, name, text]) => (
              <tr key={key}>
                <th scope="row">
                  {name} <span class="quiet">{text}</span>
                </th>
                {SIGNALS.map(signal => {
                  const value = (stats[key] as BySignal | undefined)?.[signal] ?? 0;
                  const isBad = value > 0 && (key === 'refused_records' || key === 'dropped_records');
                  return (
                    <td key={signal} class={`number ${isBad ? 'error' : ''}`}>
                      {count(value)}
                    </td>
                  );
                })}
              </tr>
            ))}
            <tr>
              <th scope="row">On disk</th>
              {SIGNALS.map(signal => (
                <td key={signal} class="number">
                  {bytes(stats.disk_bytes[signal] ?? 0)}
                </td>
              ))}
            </tr>
          </tbody>
        </table>
      </div>
    </>
  );
}

function Tile({
  name,
  value,
  share,
  of,
  bad,
}: {
  name: string;
  value: string;
  share?: number | undefined;
  of?: string;
  bad?: boolean;
}): JSX.Element {
  return (
    <div class="card">
      <span class="quiet">{name}</span>
      <b class={bad ? 'error' : ''}>{value}</b>
      {of && <span class="quiet">{of}</span>}
      {share !== undefined && (
        <span
          class="meter"
          role="meter"
          aria-label={name}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(Math.min(1, share) * 100)}
        >
          <i class={share > 0.9 ? 'bad' : ''} style={{ width: `${Math.min(1, share) * 100}%` }} />
        </span>
      )}
    </div>
  );
}

const BREAKERS = {
  closed: ['Sending', 'good', 'the breaker is closed: requests go through'],
  half_open: ['Trying', 'warned', 'the breaker is half open: one request asks whether it works again'],
  open: ['Not reached', 'bad', 'the breaker is open: nothing is sent until the next try'],
} as const;

function Destinations({ all, again }: { all: readonly Destination[]; again: () => void }): JSX.Element {
  const [busy, setBusy] = useState<string | undefined>();
  const [told, tell] = useState<{ text: string; isError: boolean } | undefined>();
  const hand = async (name: string, what: 'pause' | 'resume' | 'retry') => {
    setBusy(`${name} ${what}`);
    tell(undefined);
    try {
      const { retried } = await act<{ retried?: { delivered: number; left: number } }>(
        at`/recorder/destinations/${name}/` + what,
      );
      if (retried)
        tell({
          text: `${line(name)}: ${count(retried.delivered)} requests were taken now, ${count(retried.left)} stay set aside.`,
          isError: false,
        });
      else
        tell({
          text: `${line(name)} ${what === 'pause' ? 'is paused: what arrives waits on disk' : 'is sent to again'}.`,
          isError: false,
        });
    } catch (error) {
      tell({ text: error instanceof ApiError ? `${error.code}: ${error.message}` : String(error), isError: true });
    } finally {
      setBusy(undefined);
      again();
    }
  };
  return (
    <section>
      <h2>Destinations</h2>
      {all.length === 0 && (
        <p class="quiet">
          Nothing is forwarded. <code>forward.endpoint</code> in the configuration names where to.
        </p>
      )}
      <div role="status" aria-live="polite">
        {told && <p class={told.isError ? 'note error' : 'note'}>{clean(told.text)}</p>}
      </div>
      <ul class="destinations">
        {all.map(destination => {
          const name = line(destination.name);
          const [text, style, title] = destination.paused
            ? (['Paused', 'warned', 'by hand: what arrives waits on disk'] as const)
            : BREAKERS[destination.state];
          return (
            <li key={destination.name} class="destination">
              <div class="destination-head">
                <h3>{name}</h3>
                <span class={`status ${style}`} title={title}>
                  {text}
                </span>
                <span class="actions">
                  {destination.paused ? (
                    <button
                      type="button"
                      class="button"
                      disabled={busy !== undefined}
                      aria-label={`Resume ${name}`}
                      onClick={() => hand(destination.name, 'resume')}
                    >
                      Resume
                    </button>
                  ) : (
                    <button
                      type="button"
                      class="button"
                      disabled={busy !== undefined}
                      aria-label={`Pause ${name}`}
                      onClick={() => hand(destination.name, 'pause')}
                    >
                      Pause
                    </button>
                  )}
                  <button
                    type="button"
                    class="button"
                    disabled={busy !== undefined}
                    aria-label={`${busy === `${destination.name} retry` ? 'Asking' : 'Retry'} ${name}`}
                    title="Asks at once, and sends again what was refused"
                    onClick={() => hand(destination.name, 'retry')}
                  >
                    {busy === `${destination.name} retry` ? 'Asking' : 'Retry'}
                  </button>
                </span>
              </div>
              <dl class="facts inline">
                <dt>Waiting</dt>
                <dd class={destination.troubled ? 'error' : ''}>
                  {count(destination.lag_records)} records
                  {destination.lag_records > 0 && `, the oldest for ${duration(destination.lag_seconds * 1e9)}`}
                </dd>
                <dt>Breaker</dt>
                <dd>{destination.state.replace('_', ' ')}</dd>
                <dt>Set aside</dt>
                <dd class={destination.rejected_requests > 0 ? 'error' : ''}>
                  {count(destination.rejected_requests)} requests
                </dd>
                <dt>Deleted before they were sent</dt>
                <dd class={destination.evicted_records > 0 ? 'error' : ''}>
                  {count(destination.evicted_records)} records
                </dd>
              </dl>
              {destination.last_error && <pre class="last-error">{clean(destination.last_error)}</pre>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Limits({ recorder: { retention, query } }: { recorder: Recorder }): JSX.Element {
  const number = (name: string) => query[name] ?? 0;
  return (
    <section>
      <h2>Limits</h2>
      <dl class="facts inline">
        <dt>Kept at most</dt>
        <dd>{retention?.max_bytes ? bytes(retention.max_bytes) : 'no limit'}</dd>
        {SIGNALS.map(signal => {
          const age = retention?.max_age?.[signal];
          return age ? [<dt key={signal}>{signal} for</dt>, <dd key={`${signal} age`}>{duration(age)}</dd>] : null;
        })}
        <dt>A question may take</dt>
        <dd>
          {duration(number('timeout'))}, {bytes(number('max_memory'))}, {count(number('max_rows'))} rows
        </dd>
        <dt>Questions at a time</dt>
        <dd>{count(number('max_concurrent'))}</dd>
      </dl>
    </section>
  );
}

function Events({ events }: { events: { readonly [event: string]: number } }): JSX.Element | null {
  const entries = Object.entries(events).sort(([, a], [, b]) => b - a);
  if (entries.length === 0) return null;
  return (
    <section>
      <h2>Events since the start</h2>
      <dl class="facts inline">
        {entries.map(([name, times]) => [
          <dt key={name}>
            <code>{name}</code>
          </dt>,
          <dd key={`${name} times`}>{count(times)}</dd>,
        ])}
      </dl>
    </section>
  );
}

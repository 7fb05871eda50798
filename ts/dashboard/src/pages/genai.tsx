/** The conversation of a trace with language models: what was asked and answered, tools, tokens; and the traces that have one. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { at, together, useAnswer } from '../api.js';
import { type Conversation, conversation, type Message, type Part, type Tokens, type Turn } from '../figures/genai.js';
import { Copy } from '../parts/copy.js';
import { ServiceName } from '../parts/service.js';
import { Empty, Hints, Loading, SearchedNote, Wrong } from '../parts/states.js';
import { clean, line } from '../parts/text.js';
import { ago, clock, count, duration } from '../parts/time.js';
import { rangeWords } from '../state/range.js';
import { below, href, picked } from '../state/url.js';
import type { Search, Trace } from '../wire.js';

export default function GenAiPage(): JSX.Element {
  const trace = below.value[0];
  return trace === undefined ? <Traces /> : <OneTrace id={trace} />;
}

function Traces(): JSX.Element {
  const asked = together(rangeWords(), picked(['service', 'attr', 'resource', 'status']));
  // Two conventions: the one of today, and the one of before it.
  const { answer, error, stale, again } = useAnswer<Search>(
    '/traces',
    together(asked, { attr: [...(asked.get('attr') ?? []), 'gen_ai.operation.name'], limit: 100 }),
  );
  const older = useAnswer<Search>(
    '/traces',
    together(asked, { attr: [...(asked.get('attr') ?? []), 'gen_ai.request.model'], limit: 100 }),
  );
  const known = new Map(
    [...(answer?.traces ?? []), ...(older.answer?.traces ?? [])].map(trace => [trace.trace_id, trace]),
  );
  const traces = [...known.values()].sort((a, b) => (a.start_time < b.start_time ? 1 : -1));
  return (
    <section class={`page scroll ${stale ? 'stale' : ''}`}>
      <header class="page-head">
        <h1>Conversations</h1>
        <span class="quiet">traces with language models</span>
      </header>
      <SearchedNote searched={answer?.searched} />
      {error && <Wrong error={error} again={again} />}
      {!answer && !error && <Loading />}
      {answer && traces.length === 0 && (
        <Empty title="No conversation in this time">
          <p>
            Spans with the attributes <code>gen_ai.*</code> are shown here: those that OpenTelemetry’s instrumentations
            of OpenAI, Anthropic, Bedrock, LangChain and others make. Most leave prompts and answers out unless they are
            asked to keep them (<code>OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true</code>).
          </p>
          <Hints searched={answer.searched} />
        </Empty>
      )}
      {traces.length > 0 && (
        <div class="table-box">
          <table class="table">
            <caption class="hidden">Traces with language models, the latest first</caption>
            <thead>
              <tr>
                <th scope="col">Start</th>
                <th scope="col">Trace</th>
                <th scope="col">Service</th>
                <th scope="col" class="number">
                  Duration
                </th>
                <th scope="col" class="number">
                  Spans
                </th>
                <th scope="col" class="number">
                  Errors
                </th>
              </tr>
            </thead>
            <tbody>
              {traces.map(trace => (
                <tr key={trace.trace_id}>
                  <td class="number quiet start" title={ago(trace.start_time)}>
                    {clock(trace.start_time, { digits: 0 })}
                  </td>
                  <td class="operation">
                    <a class="cut" href={href(['genai', trace.trace_id])}>
                      {line(trace.root_name)}
                    </a>
                  </td>
                  <td>
                    <ServiceName name={trace.root_service} />
                  </td>
                  <td class="number">{duration(trace.duration)}</td>
                  <td class="number">{count(trace.spans)}</td>
                  <td class={`number ${trace.errors > 0 ? 'error' : 'quiet'}`}>
                    {trace.errors > 0 ? count(trace.errors) : '–'}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function OneTrace({ id }: { id: string }): JSX.Element {
  const { answer, error, again } = useAnswer<Trace>(at`/traces/${id}`, {}, { live: false, exact: true });
  if (error) return <Wrong error={error} again={again} />;
  if (!answer) return <Loading lines={10} />;
  const told = conversation(answer.spans, answer.logs);
  return (
    <section class="page scroll genai">
      <header class="page-head">
        <h1>Conversation</h1>
        <a href={href(['trace', answer.trace_id])}>
          Trace <code>{answer.trace_id.slice(0, 16)}…</code>
        </a>
        <Copy text={answer.trace_id} label="Copy the id of the trace" />
        {told.turns.length > 0 && (
          <Copy class="plain" text={() => transcript(told)} label="Copy as text">
            Copy as text
          </Copy>
        )}
      </header>
      <SearchedNote searched={answer.searched} />
      {told.turns.length === 0 ? (
        <Empty title="This trace has no conversation">
          <p>
            None of its {count(answer.spans.length)} spans has attributes <code>gen_ai.*</code>.
          </p>
          <Hints searched={answer.searched} />
        </Empty>
      ) : (
        <Told told={told} trace={answer.trace_id} />
      )}
    </section>
  );
}

const tokens = ({ input, output, cached, reasoning }: Tokens): string =>
  `${count(input)} in${cached > 0 ? ` (${count(cached)} cached)` : ''}, ${count(output)} out${reasoning > 0 ? ` (${count(reasoning)} thinking)` : ''}`;

function Told({ told, trace }: { told: Conversation; trace: string }): JSX.Element {
  const most = Math.max(1, ...told.turns.map(({ tokens }) => tokens.input + tokens.output));
  return (
    <>
      <div class="cards">
        <div class="card">
          <span class="quiet">Tokens</span>
          <b>{count(told.tokens.input + told.tokens.output)}</b>
          <span class="quiet">{tokens(told.tokens)}</span>
        </div>
        <div class="card">
          <span class="quiet">{told.models.length === 1 ? 'Model' : 'Models'}</span>
          {told.models.map(([model, used]) => (
            <span key={model}>
              <b class="small">{line(model)}</b> <span class="quiet">{tokens(used)}</span>
            </span>
          ))}
        </div>
        <div class="card">
          <span class="quiet">Tools</span>
          {told.tools.length === 0 && <span class="quiet">none</span>}
          {told.tools.map(([tool, calls]) => (
            <span key={tool}>
              <b class="small">{line(tool)}</b> <span class="quiet">× {count(calls)}</span>
            </span>
          ))}
        </div>
        <div class="card">
          <span class="quiet">Turns</span>
          <b>{count(told.turns.length)}</b>
        </div>
      </div>
      {told.isSilent && (
        <p class="note" role="status">
          The prompts and answers were not recorded. Most instrumentations keep them with{' '}
          <code>OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true</code>.
        </p>
      )}
      <ol class="turns">
        {told.turns.map(turn => (
          <OneTurn key={turn.spanId} turn={turn} trace={trace} most={most} />
        ))}
      </ol>
    </>
  );
}

function OneTurn({ turn, trace, most }: { turn: Turn; trace: string; most: number }): JSX.Element {
  const used = turn.tokens.input + turn.tokens.output;
  return (
    <li class={`turn ${turn.kind}`}>
      <header>
        <span class="badge">{line(turn.operation)}</span>
        <a class="cut" href={href(['trace', trace], { span: turn.spanId })}>
          {line(turn.subject ?? turn.model ?? turn.name)}
        </a>
        <ServiceName name={turn.service} />
        {turn.provider && <span class="quiet">{line(turn.provider)}</span>}
        <span class="spring" />
        {used > 0 && (
          <span class="turn-tokens" title={tokens(turn.tokens)}>
            <i style={{ width: `${(72 * turn.tokens.input) / most}px` }} />
            <i class="output" style={{ width: `${(72 * turn.tokens.output) / most}px` }} />
            {count(used)} tokens
          </span>
        )}
        <span class="number">{duration(turn.duration)}</span>
        <span class="quiet">{clock(turn.startTime)}</span>
      </header>
      {turn.error && <p class="error">{clean(turn.error)}</p>}
      {turn.repeated > 0 && (
        <p class="quiet">
          {turn.repeated === 1 ? 'The message above, again' : `The ${count(turn.repeated)} messages above, again`}, and
        </p>
      )}
      {turn.messages.map((message, at) => (
        <OneMessage key={at} message={message} />
      ))}
      {turn.finish.some(reason => !/^(stop|end_turn|tool_calls?|tool_use)$/.test(reason)) && (
        <p class="warned">It ended because of: {turn.finish.map(line).join(', ')}</p>
      )}
    </li>
  );
}

function OneMessage({ message }: { message: Message }): JSX.Element {
  return (
    <div class={`message ${message.isAnswer ? 'answer' : ''} ${line(message.role)}`}>
      <span class="role">{line(message.role)}</span>
      <div>
        {message.parts.map((part, at) => (
          <OnePart key={at} part={part} />
        ))}
      </div>
    </div>
  );
}

/** Characters of a part that are shown until somebody wants all of them. */
const SHOWN = 1_500;

function OnePart({ part }: { part: Part }): JSX.Element {
  const [whole, showWhole] = useState(false);
  const text = whole || part.text.length <= SHOWN ? part.text : `${part.text.slice(0, SHOWN)}…`;
  const title = {
    text: '',
    reasoning: 'thinking',
    call: `calls ${line(part.name ?? 'a tool')}`,
    result: `result${part.name ? ` of ${line(part.name)}` : ''}`,
    other: line(part.name ?? 'other'),
  }[part.kind];
  return (
    <div class={`part ${part.kind}`}>
      {title && <span class="quiet">{title}</span>}
      {part.kind === 'text' || part.kind === 'reasoning' ? <p>{clean(text)}</p> : <pre>{clean(pretty(text))}</pre>}
      {part.text.length > SHOWN && (
        <button type="button" class="plain" onClick={() => showWhole(!whole)}>
          {whole ? 'Less' : `All ${count(part.text.length)} characters`}
        </button>
      )}
    </div>
  );
}

/** JSON with its structure to be seen; anything else as it is. */
function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    const made = JSON.stringify(JSON.parse(text), null, 2);
    return made.length < 4 * SHOWN ? made : text;
  } catch {
    return text;
  }
}

/** The conversation for an issue or an agent. */
function transcript(told: Conversation): string {
  const lines = [`tokens: ${tokens(told.tokens)}`];
  for (const turn of told.turns) {
    lines.push(
      '',
      `## ${turn.operation} ${turn.subject ?? turn.model ?? turn.name} (${duration(turn.duration)}, ${tokens(turn.tokens)})`,
    );
    if (turn.error) lines.push(`error: ${turn.error}`);
    for (const { role, parts } of turn.messages) {
      for (const { kind, text, name } of parts)
        lines.push(`${role}${kind === 'text' ? '' : ` ${kind}${name ? ` ${name}` : ''}`}: ${text}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

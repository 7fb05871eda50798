/**
 * The conversation of a trace with language models, by the semantic conventions for generative AI: spans, their attributes and
 * events in the forms of today (`gen_ai.input.messages`), of yesterday (events `gen_ai.*.message`) and of libraries that number
 * them (`gen_ai.prompt.0.content`). Pure.
 */
import type { AttributeValue, LogRecord, Span } from '../wire.js';

/** A span that is part of a conversation. */
export interface Turn {
  readonly spanId: string;
  readonly parentId: string | undefined;
  /** `chat`, `execute_tool`, `invoke_agent`, `embeddings` …; the name of the span where it says none. */
  readonly operation: string;
  readonly kind: 'model' | 'tool' | 'agent';
  readonly name: string;
  readonly service: string;
  readonly provider: string | undefined;
  /** The model that answered, or was asked. */
  readonly model: string | undefined;
  /** Of an agent or a tool its name. */
  readonly subject: string | undefined;
  readonly conversation: string | undefined;
  readonly startTime: string;
  /** Nanoseconds. */
  readonly duration: number;
  readonly error: string | undefined;
  readonly tokens: Tokens;
  readonly finish: readonly string[];
  /** What was said to the model before: messages of an earlier turn, that are not shown again. */
  readonly repeated: number;
  /** What is new in this turn, in its order; the answer last. */
  readonly messages: readonly Message[];
}

export interface Tokens {
  readonly input: number;
  readonly output: number;
  /** Of the input, read from a cache. */
  readonly cached: number;
  /** Of the output, for thinking. */
  readonly reasoning: number;
}

export interface Message {
  readonly role: string;
  /** Whether it is what the model answered. */
  readonly isAnswer: boolean;
  readonly parts: readonly Part[];
}

export interface Part {
  readonly kind: 'text' | 'reasoning' | 'call' | 'result' | 'other';
  /** What is said; of a call its arguments, of a result what came back. */
  readonly text: string;
  /** Of a call or a result: which tool. */
  readonly name?: string;
  /** What tells which result belongs to which call. */
  readonly id?: string;
}

export interface Conversation {
  /** In the order of time. */
  readonly turns: readonly Turn[];
  readonly tokens: Tokens;
  /** Tokens of each model, the most first. */
  readonly models: readonly (readonly [model: string, tokens: Tokens])[];
  /** Tools that were run or asked for, with how often, the most first. */
  readonly tools: readonly (readonly [name: string, calls: number])[];
  /** Whether no turn has any message: they are left out by most libraries unless somebody asks for them. */
  readonly isSilent: boolean;
}

type Bag = { readonly [key: string]: AttributeValue };

const NONE: Tokens = { input: 0, output: 0, cached: 0, reasoning: 0 };
/** A text that is longer is cut where it is shown. */
const MODEL_OPERATIONS = new Set([
  'chat',
  'text_completion',
  'generate_content',
  'embeddings',
  'completion',
  'response',
]);

/** Whether a span is part of a conversation. */
export function isTurn(span: Pick<Span, 'attributes'>): boolean {
  return Object.keys(span.attributes).some(key => key.startsWith('gen_ai.'));
}

/** The conversation of these spans, with what log records say about them. */
export function conversation(spans: readonly Span[], logs: readonly LogRecord[] = []): Conversation {
  const told = new Map<string, LogRecord[]>();
  for (const log of logs) {
    if (log.span_id && nameOf(log).startsWith('gen_ai.'))
      told.set(log.span_id, [...(told.get(log.span_id) ?? []), log]);
  }
  const found = spans
    .filter(span => isTurn(span) || told.has(span.span_id))
    .sort((a, b) => (a.start_time < b.start_time ? -1 : a.start_time > b.start_time ? 1 : 0));
  const seen = new Histories();
  const turns = found.map(span => turn(span, told.get(span.span_id) ?? [], seen));
  const models = new Map<string, Tokens>();
  const tools = new Map<string, number>();
  for (const { kind, model, tokens, subject, messages } of turns) {
    // An agent counts what its models have used once more.
    if (kind === 'model')
      models.set(model ?? 'unknown model', plus(models.get(model ?? 'unknown model') ?? NONE, tokens));
    if (kind === 'tool') tools.set(subject ?? 'unknown tool', (tools.get(subject ?? 'unknown tool') ?? 0) + 1);
    // What is asked for is counted once it is run; where no span says so, here.
    if (!turns.some(other => other.kind === 'tool')) {
      for (const { name } of messages
        .flatMap(({ parts, isAnswer }) => (isAnswer ? parts : []))
        .filter(part => part.kind === 'call')) {
        tools.set(name ?? 'unknown tool', (tools.get(name ?? 'unknown tool') ?? 0) + 1);
      }
    }
  }
  const counted = models.size > 0 ? [...models.values()] : turns.filter(isOutermost(turns)).map(({ tokens }) => tokens);
  const sum = ({ input, output }: Tokens) => input + output;
  return {
    turns,
    tokens: counted.reduce(plus, NONE),
    models: [...models].sort((a, b) => sum(b[1]) - sum(a[1])),
    tools: [...tools].sort((a, b) => b[1] - a[1]),
    isSilent: turns.every(({ messages, repeated }) => messages.length + repeated === 0),
  };
}

const plus = (a: Tokens, b: Tokens): Tokens => ({
  input: a.input + b.input,
  output: a.output + b.output,
  cached: a.cached + b.cached,
  reasoning: a.reasoning + b.reasoning,
});

/** Whether no turn is above it, so that nothing is counted twice. */
function isOutermost(turns: readonly Turn[]): (turn: Turn) => boolean {
  const known = new Map(turns.map(turn => [turn.spanId, turn]));
  return ({ parentId }) => parentId === undefined || !known.has(parentId);
}

function turn(span: Span, logs: readonly LogRecord[], seen: Histories): Turn {
  const bag = span.attributes as Bag;
  const text = (...keys: readonly string[]) => keys.map(key => shown(bag[key])).find(value => value !== undefined);
  const operation = text('gen_ai.operation.name') ?? span.name;
  const tool = text('gen_ai.tool.name');
  const agent = text('gen_ai.agent.name', 'gen_ai.agent.id');
  const model = text('gen_ai.response.model', 'gen_ai.request.model');
  const kind =
    operation === 'execute_tool' || (tool !== undefined && model === undefined)
      ? 'tool'
      : MODEL_OPERATIONS.has(operation) || (model !== undefined && !/agent/.test(operation))
        ? 'model'
        : 'agent';
  const said = [
    ...messagesOf(span, bag),
    ...logs.flatMap(log => ofEvent(nameOf(log), { ...bagOf(log.attributes), ...body(log) })),
  ];
  const { repeated, fresh } = seen.fold(kind === 'tool' ? toolMessages(bag, tool) : ordered(said));
  const finish = bag['gen_ai.response.finish_reasons'];
  return {
    spanId: span.span_id,
    parentId: span.parent_span_id,
    operation,
    kind,
    name: span.name,
    service: span.service,
    provider: text('gen_ai.provider.name', 'gen_ai.system'),
    model,
    subject: kind === 'tool' ? (tool ?? span.name) : agent,
    conversation: text('gen_ai.conversation.id'),
    startTime: span.start_time,
    duration: span.duration,
    error: span.status === 'error' ? (span.status_message ?? text('error.type') ?? 'error') : text('error.type'),
    tokens: {
      input: number(bag, 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens'),
      output: number(bag, 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens'),
      cached: number(bag, 'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens'),
      reasoning: number(bag, 'gen_ai.usage.reasoning.output_tokens', 'gen_ai.usage.reasoning_tokens'),
    },
    finish: Array.isArray(finish) ? finish.map(String) : finish === undefined ? [] : [String(finish)],
    repeated,
    messages: fresh,
  };
}

function number(bag: Bag, ...keys: readonly string[]): number {
  const found = keys.map(key => Number(bag[key])).find(value => Number.isFinite(value) && value > 0);
  return found ?? 0;
}

/** A value as text; undefined where there is none. */
function shown(value: AttributeValue | undefined): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'object')
    return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
  return String(value);
}

/** A value that may be JSON in a text, as most libraries write what is not flat. */
function structured(value: AttributeValue | undefined): unknown {
  if (typeof value !== 'string') return value;
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

const bagOf = (value: unknown): Bag =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Bag) : {};

const nameOf = (log: LogRecord): string => log.event_name ?? String((log.attributes as Bag)['event.name'] ?? '');

function body(log: LogRecord): Bag {
  const parsed = structured(log.body ?? undefined);
  return typeof parsed === 'string' ? { content: parsed } : bagOf(parsed);
}

/** What a span itself says. */
function messagesOf(span: Span, bag: Bag): Message[] {
  const messages = [
    ...ofAttributes(bag),
    ...numbered(bag, 'gen_ai.prompt', false),
    ...numbered(bag, 'gen_ai.completion', true),
  ];
  for (const event of span.events ?? []) messages.push(...ofEvent(event.name, bagOf(event.attributes)));
  return messages;
}

/** The form of today: attributes of the span or of one event. */
function ofAttributes(bag: Bag): Message[] {
  const system = structured(bag['gen_ai.system_instructions']);
  const list = (key: string, isAnswer: boolean) => {
    const parsed = structured(bag[key]);
    return Array.isArray(parsed)
      ? parsed.map(one => message(bagOf(one), isAnswer ? 'assistant' : 'user', isAnswer))
      : [];
  };
  return [
    ...(system === undefined ? [] : [{ role: 'system', isAnswer: false, parts: partsOf(system) }]),
    ...list('gen_ai.input.messages', false),
    ...list('gen_ai.output.messages', true),
  ];
}

const ROLES: { readonly [event: string]: string } = {
  'gen_ai.system.message': 'system',
  'gen_ai.user.message': 'user',
  'gen_ai.assistant.message': 'assistant',
  'gen_ai.tool.message': 'tool',
};

/** Events of spans and of logs. */
function ofEvent(name: string, bag: Bag): Message[] {
  const role = ROLES[name];
  if (role) return [message(bag, role, false)];
  if (name === 'gen_ai.choice') return [message({ ...bag, ...bagOf(structured(bag.message)) }, 'assistant', true)];
  if (name === 'gen_ai.content.prompt') return [message({ content: bag['gen_ai.prompt'] ?? '' }, 'user', false)];
  if (name === 'gen_ai.content.completion')
    return [message({ content: bag['gen_ai.completion'] ?? '' }, 'assistant', true)];
  return name.startsWith('gen_ai.') ? ofAttributes(bag) : [];
}

/** `gen_ai.prompt.0.role`, `.content`, `.tool_calls.0.name` … */
function numbered(bag: Bag, prefix: string, isAnswer: boolean): Message[] {
  const found = new Map<number, { [key: string]: AttributeValue }>();
  for (const [key, value] of Object.entries(bag)) {
    const match = /^(\d+)\.(.+)$/.exec(key.startsWith(`${prefix}.`) ? key.slice(prefix.length + 1) : '');
    if (!match) continue;
    const at = Number(match[1]);
    found.set(at, { ...found.get(at), [match[2]!]: value });
  }
  return [...found]
    .sort(([a], [b]) => a - b)
    .map(([, fields]) => {
      const calls = new Map<string, { [key: string]: AttributeValue }>();
      for (const [key, value] of Object.entries(fields)) {
        const match = /^tool_calls\.(\d+)\.(.+)$/.exec(key);
        if (match) calls.set(match[1]!, { ...calls.get(match[1]!), [match[2]!]: value });
      }
      return message({ ...fields, tool_calls: [...calls.values()] }, isAnswer ? 'assistant' : 'user', isAnswer);
    });
}

function message(bag: Bag, usual: string, isAnswer: boolean): Message {
  const role = shown(bag.role) ?? usual;
  const parts = partsOf(structured(bag.parts) ?? structured(bag.content), role === 'tool' ? bag : undefined);
  const calls = structured(bag.tool_calls);
  if (Array.isArray(calls)) parts.push(...calls.map(one => call(bagOf(one))));
  return { role, isAnswer, parts };
}

/** `result` is the message of a tool, whose content is what came back. */
function partsOf(content: unknown, result?: Bag): Part[] {
  if (content === undefined || content === null || content === '') return [];
  if (Array.isArray(content))
    return content.flatMap(one =>
      typeof one === 'object' && one !== null ? [part(bagOf(one))] : partsOf(one, result),
    );
  const text = typeof content === 'string' ? content : (shown(content as AttributeValue) ?? '');
  return [result ? withId({ kind: 'result', text }, result) : { kind: 'text', text }];
}

function part(bag: Bag): Part {
  const type = shown(bag.type) ?? 'text';
  if (type === 'tool_call' || type === 'tool_use' || type === 'tool-call' || type === 'function') return call(bag);
  if (/^tool[_-](call[_-]response|result|response)$/.test(type)) {
    return withId({ kind: 'result', text: shown(bag.response ?? bag.result ?? bag.content ?? bag.output) ?? '' }, bag);
  }
  const text = shown(bag.content ?? bag.text);
  if (text === undefined) return { kind: 'other', text: shown(bag as AttributeValue) ?? '', name: type };
  return type === 'reasoning' || type === 'thinking' ? { kind: 'reasoning', text } : { kind: 'text', text };
}

function call(bag: Bag): Part {
  const inner = bagOf(structured(bag.function));
  const text = shown(bag.arguments ?? bag.input ?? bag.args ?? inner.arguments) ?? '';
  return withId({ kind: 'call', text }, { ...inner, ...bag });
}

function withId(part: Part, bag: Bag): Part {
  const [name, id] = [
    shown(bag.name ?? bag.toolName),
    shown(bag.id ?? bag.tool_call_id ?? bag.toolCallId ?? bag.tool_use_id),
  ];
  return { ...part, ...(name === undefined ? {} : { name }), ...(id === undefined ? {} : { id }) };
}

/** A tool says what it was given and what it gave. */
function toolMessages(bag: Bag, name: string | undefined): Message[] {
  const [given, gave] = [shown(bag['gen_ai.tool.call.arguments']), shown(bag['gen_ai.tool.call.result'])];
  const of = name === undefined ? {} : { name };
  return [
    ...(given === undefined
      ? []
      : [{ role: 'tool', isAnswer: false, parts: [{ kind: 'call' as const, text: given, ...of }] }]),
    ...(gave === undefined
      ? []
      : [{ role: 'tool', isAnswer: true, parts: [{ kind: 'result' as const, text: gave, ...of }] }]),
  ];
}

/** The answer comes last, whatever it was told by. */
const ordered = (messages: readonly Message[]): Message[] => [
  ...messages.filter(({ isAnswer, parts }) => !isAnswer && parts.length > 0),
  ...messages.filter(({ isAnswer, parts }) => isAnswer && parts.length > 0),
];

/** What was said so far: each turn sends all of it again. */
class Histories {
  readonly #known: string[][] = [];

  /** How many messages were there before, and those that are new. */
  fold(messages: readonly Message[]): { repeated: number; fresh: readonly Message[] } {
    const keys = messages.map(({ role, parts }) => JSON.stringify([role, parts.map(({ kind, text }) => [kind, text])]));
    const common = (known: readonly string[]) => {
      let same = 0;
      while (same < known.length && same < keys.length && known[same] === keys[same]) same += 1;
      return same;
    };
    const lengths = this.#known.map(common);
    const best = lengths.reduce((best, length, at) => (length > (lengths[best] ?? 0) ? at : best), 0);
    const repeated = lengths[best] ?? 0;
    // One that goes on replaces what it goes on with; another one, such as that of a second agent, is kept beside it.
    if (repeated > 0 && repeated === this.#known[best]!.length) this.#known[best] = keys;
    else if (keys.length > 0) this.#known.push(keys);
    return { repeated, fresh: messages.slice(repeated) };
  }
}

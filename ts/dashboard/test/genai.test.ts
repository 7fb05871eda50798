/** Conversations with language models, in each form that libraries have written them. */
import { expect, test } from 'vitest';
import { conversation } from '../src/figures/genai.js';
import type { LogRecord, Span } from '../src/wire.js';

let number = 0;
const span = (attributes: Span['attributes'], more: Partial<Span> = {}): Span => {
  number += 1;
  return {
    trace_id: '1'.repeat(32),
    span_id: String(number).padStart(16, '0'),
    service: 'agent',
    name: 'chat gpt',
    kind: 'client',
    start_time: `2026-11-30T12:00:00.${String(number).padStart(9, '0')}Z`,
    end_time: '2026-11-30T12:00:01.000000000Z',
    duration: 1_000_000,
    status: 'unset',
    attributes,
    resource: {},
    flags: 0,
    ...more,
  };
};
const text = (role: string, content: string) => ({ role, parts: [{ type: 'text', content }] });
const chat = (
  input: readonly object[],
  output: readonly object[],
  more: Span['attributes'] = {},
): Span['attributes'] => ({
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-6',
  'gen_ai.usage.input_tokens': 100,
  'gen_ai.usage.output_tokens': 20,
  'gen_ai.input.messages': JSON.stringify(input),
  'gen_ai.output.messages': JSON.stringify(output),
  ...more,
});

test('messages, tools and tokens of the conventions of today', () => {
  const question = text('user', 'What is the weather in Oslo?');
  const call = {
    role: 'assistant',
    parts: [{ type: 'tool_call', id: 'c1', name: 'weather', arguments: { city: 'Oslo' } }],
    finish_reason: 'tool_call',
  };
  const result = { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c1', response: '4 °C' }] };
  const found = conversation([
    span({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'helper',
      'gen_ai.usage.input_tokens': 300,
      'gen_ai.usage.output_tokens': 40,
    }),
    span(
      chat([question], [call], {
        'gen_ai.system_instructions': JSON.stringify([{ type: 'text', content: 'Be brief.' }]),
      }),
    ),
    span({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'weather',
      'gen_ai.tool.call.arguments': '{"city":"Oslo"}',
      'gen_ai.tool.call.result': '4 °C',
    }),
    span(
      chat([question, call, result], [text('assistant', 'Four degrees.')], {
        'gen_ai.usage.input_tokens': 200,
        'gen_ai.system_instructions': JSON.stringify([{ type: 'text', content: 'Be brief.' }]),
      }),
    ),
    span({ 'http.route': '/' }),
  ]);
  expect(found.turns.map(({ kind, subject, model }) => [kind, subject, model])).toEqual([
    ['agent', 'helper', undefined],
    ['model', undefined, 'gpt-6'],
    ['tool', 'weather', undefined],
    ['model', undefined, 'gpt-6'],
  ]);
  const [, first, tool, second] = found.turns;
  expect(first!.messages.map(({ role, isAnswer }) => [role, isAnswer])).toEqual([
    ['system', false],
    ['user', false],
    ['assistant', true],
  ]);
  expect(first!.messages[2]!.parts).toEqual([{ kind: 'call', text: '{"city":"Oslo"}', name: 'weather', id: 'c1' }]);
  expect(tool!.messages.flatMap(({ parts }) => parts.map(({ kind, text }) => [kind, text]))).toEqual([
    ['call', '{"city":"Oslo"}'],
    ['result', '4 °C'],
  ]);
  // The second call sends everything again: only what is new is shown.
  expect(second!.repeated).toBe(3);
  expect(second!.messages.map(({ parts }) => parts[0]!.text)).toEqual(['4 °C', 'Four degrees.']);
  // What the agent adds up is not counted again.
  expect(found.tokens).toEqual({ input: 300, output: 40, cached: 0, reasoning: 0 });
  expect(found.models).toEqual([['gpt-6', { input: 300, output: 40, cached: 0, reasoning: 0 }]]);
  expect(found.tools).toEqual([['weather', 1]]);
  expect(found.isSilent).toBe(false);
});

test('events of yesterday, on spans and as log records', () => {
  const event = (name: string, attributes: Span['attributes']) => ({
    name,
    time: '2026-11-30T12:00:00.000000000Z',
    attributes,
  });
  const old = span(
    {
      'gen_ai.system': 'anthropic',
      'gen_ai.request.model': 'claude',
      'gen_ai.usage.prompt_tokens': 5,
      'gen_ai.usage.completion_tokens': 7,
    },
    {
      events: [
        event('gen_ai.user.message', { content: 'Hi' }),
        event('gen_ai.choice', { index: 0, finish_reason: 'stop', message: '{"role":"assistant","content":"Hello"}' }),
      ],
    },
  );
  const logged = span({ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt' });
  const log = (event_name: string, body: string): LogRecord => ({
    time: null,
    observed_time: null,
    service: 'agent',
    severity_number: 9,
    event_name,
    body,
    span_id: logged.span_id,
    attributes: {},
    resource: {},
    flags: 0,
  });
  const found = conversation(
    [old, logged],
    [
      log('gen_ai.system.message', '{"content":"Be kind"}'),
      log('gen_ai.user.message', '{"content":"Hei"}'),
      log(
        'gen_ai.choice',
        '{"index":0,"message":{"content":"Hallo","tool_calls":[{"id":"1","function":{"name":"wave","arguments":"{}"}}]}}',
      ),
      log('http.request', 'no'),
    ],
  );
  expect(found.turns[0]!.provider).toBe('anthropic');
  expect(found.turns[0]!.tokens).toMatchObject({ input: 5, output: 7 });
  expect(
    found.turns.map(({ messages }) => messages.map(({ role, parts }) => [role, ...parts.map(({ text }) => text)])),
  ).toEqual([
    [
      ['user', 'Hi'],
      ['assistant', 'Hello'],
    ],
    [
      ['system', 'Be kind'],
      ['user', 'Hei'],
      ['assistant', 'Hallo', '{}'],
    ],
  ]);
  expect(found.tools).toEqual([['wave', 1]]);
});

test('messages that are numbered', () => {
  const found = conversation([
    span({
      'gen_ai.request.model': 'llama',
      'gen_ai.prompt.1.role': 'user',
      'gen_ai.prompt.1.content': 'second',
      'gen_ai.prompt.0.role': 'system',
      'gen_ai.prompt.0.content': 'first',
      'gen_ai.prompt.10.content': 'last',
      'gen_ai.completion.0.content': 'answer',
      'gen_ai.completion.0.tool_calls.0.name': 'search',
      'gen_ai.completion.0.tool_calls.0.arguments': '{"q":1}',
      'gen_ai.response.finish_reasons': ['length'],
    }),
  ]);
  const [turn] = found.turns;
  expect(turn!.messages.map(({ role, parts }) => [role, parts[0]!.text])).toEqual([
    ['system', 'first'],
    ['user', 'second'],
    ['user', 'last'],
    ['assistant', 'answer'],
  ]);
  expect(turn!.messages[3]!.parts[1]).toEqual({ kind: 'call', text: '{"q":1}', name: 'search' });
  expect(turn!.finish).toEqual(['length']);
});

test('two conversations beside each other do not take each other for their beginning', () => {
  const [a, b] = [text('user', 'A'), text('user', 'B')];
  const answer = text('assistant', 'yes');
  const found = conversation([
    span(chat([a], [answer])),
    span(chat([b], [answer])),
    span(chat([a, answer, text('user', 'A2')], [answer])),
    span(chat([b, answer, text('user', 'B2')], [answer])),
  ]);
  expect(found.turns.map(({ repeated }) => repeated)).toEqual([0, 0, 2, 2]);
});

test('what was not recorded, what is broken and what is hostile', () => {
  expect(conversation([])).toMatchObject({ turns: [], isSilent: true, tools: [], models: [] });
  expect(conversation([span({ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm' })]).isSilent).toBe(true);
  const broken = conversation([
    span({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'm',
      'gen_ai.input.messages': '[{"role":"user"',
      'gen_ai.output.messages': '{"not":"a list"}',
      'gen_ai.usage.input_tokens': 'many',
    }),
    span({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'm',
      'gen_ai.input.messages': '[null, 7, "text", {"parts":[null, "x", {"type":"image","uri":"javascript:alert(1)"}]}]',
      'gen_ai.usage.input_tokens': -5,
    }),
    span(
      {
        'gen_ai.request.model': 'm',
        'gen_ai.prompt.__proto__.content': 'x',
        'gen_ai.prompt.0.content': '<img src=x onerror=alert(1)>',
      },
      { status: 'error', status_message: 'rate limited' },
    ),
  ]);
  expect(broken.tokens.input).toBe(0);
  expect(broken.turns[1]!.messages.flatMap(({ parts }) => parts.map(({ kind }) => kind))).toContain('other');
  expect(broken.turns[2]).toMatchObject({
    error: 'rate limited',
    messages: [{ role: 'user', parts: [{ kind: 'text', text: '<img src=x onerror=alert(1)>' }] }],
  });
});

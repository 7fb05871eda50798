/** A small HTTP service that is instrumented by hand: server and client spans, metrics of every kind, correlated logs. */
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Context, context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { type Encoding, type Endpoints, startTelemetry, type Telemetry } from './telemetry.js';

/** A request that did not succeed. */
export class ServiceError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ServiceError';
  }
}

/** What a route's handler may use. */
export interface Call {
  readonly parameter: string;
  /** Runs `work` in a span of its own, such as a database statement. */
  step<T>(name: string, attributes: Record<string, string | number>, work: () => Promise<T>): Promise<T>;
  /** Calls another service, the trace going along. */
  fetch(service: Service, path: string): Promise<unknown>;
  log(severity: SeverityNumber, body: string, attributes?: Record<string, string | number>): void;
}

/** Answers one route: `/products/{id}` and the like. */
export type Handler = (call: Call) => Promise<unknown>;

/** One running service. */
export class Service {
  readonly #telemetry: Telemetry;
  readonly #routes: ReadonlyMap<string, Handler>;
  readonly #server: Server;
  readonly #duration;
  readonly #requests;
  readonly #active;
  readonly #temperature;
  #port = 0;

  constructor(
    readonly name: string,
    encoding: Encoding,
    endpoints: Endpoints,
    routes: Readonly<Record<string, Handler>>,
  ) {
    this.#telemetry = startTelemetry(name, encoding, endpoints, { 'process.pid': process.pid });
    this.#routes = new Map(Object.entries(routes));
    const { meter } = this.#telemetry;
    this.#duration = meter.createHistogram('http.server.request.duration', { unit: 's', description: 'Server time' });
    this.#requests = meter.createCounter('shop.requests', { unit: '{request}', description: 'Requests answered' });
    this.#active = meter.createUpDownCounter('http.server.active_requests', { unit: '{request}' });
    this.#temperature = meter.createGauge('shop.last_payload', { unit: 'By' });
    meter.createObservableCounter('process.cpu.time', { unit: 's' }).addCallback(result => {
      const { user, system } = process.cpuUsage();
      result.observe(user / 1e6, { 'cpu.mode': 'user' });
      result.observe(system / 1e6, { 'cpu.mode': 'system' });
    });
    meter
      .createObservableGauge('process.memory.usage', { unit: 'By' })
      .addCallback(result => result.observe(process.memoryUsage.rss()));
    meter
      .createObservableUpDownCounter('shop.open_sockets', { unit: '{socket}' })
      .addCallback(result => result.observe(this.#server.connections ?? 0));
    this.#server = createServer((incoming, response) => {
      void this.#answer(incoming).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      });
    });
  }

  /** Listens on a free loopback port. */
  async start(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Closes the listener and sends the telemetry that is left. */
  async stop(): Promise<void> {
    await new Promise(resolve => this.#server.close(resolve));
    await this.#telemetry.shutdown();
  }

  /** Calls a route of this service over HTTP; `parent` is the trace it belongs to. */
  call(path: string, parent: Context): Promise<unknown> {
    const headers: Record<string, string> = {};
    propagation.inject(parent, headers);
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port: this.#port, path, headers, agent: false }, response => {
        const chunks: Buffer[] = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) return resolve(JSON.parse(text));
          reject(new ServiceError(response.statusCode ?? 0, text));
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  async #answer(incoming: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const started = performance.now();
    const path = incoming.url ?? '/';
    const [, resource = '', parameter = ''] = path.split('/');
    const route = parameter === '' ? `/${resource}` : `/${resource}/{id}`;
    const parent = propagation.extract(context.active(), incoming.headers);
    const method = incoming.method ?? 'GET';
    this.#active.add(1);
    const attributes = { 'http.request.method': method, 'http.route': route };
    const span = this.#telemetry.tracer.startSpan(
      `${method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          ...attributes,
          'url.path': path,
          'url.scheme': 'http',
          'server.address': '127.0.0.1',
          'server.port': this.#port,
          'client.address': incoming.socket.remoteAddress ?? '',
          'user_agent.original': incoming.headers['user-agent'] ?? 'shop-demo',
        },
      },
      parent,
    );
    const active = trace.setSpan(parent, span);
    let status = 200;
    let body: unknown;
    try {
      const handler = this.#routes.get(route);
      if (handler === undefined) throw new ServiceError(404, `no route ${route}`);
      body = await handler(this.#callOf(active, parameter));
    } catch (error) {
      status = error instanceof ServiceError ? error.status : 500;
      body = { error: String(error) };
      span.recordException(error as Error);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      this.#log(active, status >= 500 ? SeverityNumber.ERROR : SeverityNumber.WARN, `${method} ${path} failed`, {
        'http.response.status_code': status,
        'exception.message': String(error),
      });
    }
    span.setAttribute('http.response.status_code', status);
    span.end();
    const answered = { ...attributes, 'http.response.status_code': status };
    this.#duration.record((performance.now() - started) / 1000, answered);
    this.#requests.add(1, answered);
    this.#temperature.record(JSON.stringify(body).length, attributes);
    this.#active.add(-1);
    return { status, body };
  }

  #callOf(active: Context, parameter: string): Call {
    const { tracer } = this.#telemetry;
    const inSpan = async <T>(
      name: string,
      kind: SpanKind,
      attributes: Record<string, string | number>,
      work: (inner: Context) => Promise<T>,
    ): Promise<T> => {
      const span = tracer.startSpan(name, { kind, attributes }, active);
      try {
        return await work(trace.setSpan(active, span));
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
        throw error;
      } finally {
        span.end();
      }
    };
    return {
      parameter,
      step: (name, attributes, work) => inSpan(name, SpanKind.INTERNAL, attributes, work),
      fetch: (service, path) =>
        inSpan('GET', SpanKind.CLIENT, { 'url.full': path, 'peer.service': service.name }, inner =>
          service.call(path, inner),
        ),
      log: (severity, body, attributes) => this.#log(active, severity, body, attributes),
    };
  }

  #log(
    active: Context,
    severity: SeverityNumber,
    body: string,
    attributes: Record<string, string | number> = {},
  ): void {
    this.#telemetry.logger.emit({
      context: active,
      severityNumber: severity,
      severityText: SeverityNumber[severity],
      body,
      attributes,
    });
  }
}

/** The shop: four services that call each other, with slow statements, declined cards and a missing product. */
import { setTimeout as sleep } from 'node:timers/promises';
import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { Service, ServiceError } from './service.js';
import type { Endpoints } from './telemetry.js';

/** Numbers that look random and are the same in every run. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What the shop did. */
export interface Sales {
  readonly orders: number;
  readonly failed: number;
}

/** Opens the shop, lets customers in for `milliseconds`, closes it again. */
export async function runShop(endpoints: Endpoints, milliseconds: number): Promise<Sales> {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const chance = sequence(42);

  const payment = await new Service('payment', 'http/json', endpoints, {
    '/charge/{id}': async call => {
      await call.step('authorize card', { 'payment.provider': 'acme' }, () => sleep(2 + chance() * 12));
      if (chance() < 0.08) throw new ServiceError(502, 'card declined by the provider');
      call.log(SeverityNumber.INFO, 'card charged', { 'order.id': call.parameter, 'payment.amount': chance() * 200 });
      return { charged: true };
    },
  }).start();

  const catalog = await new Service('catalog', 'http/protobuf', endpoints, {
    '/products/{id}': async call => {
      const statement = 'SELECT * FROM products WHERE id = $1';
      const slow = chance() < 0.05;
      await call.step('products.select', { 'db.system.name': 'postgresql', 'db.query.text': statement }, () =>
        sleep(slow ? 60 + chance() * 60 : 1 + chance() * 5),
      );
      if (slow) call.log(SeverityNumber.WARN, 'slow statement', { 'db.query.text': statement });
      if (call.parameter === '13') throw new ServiceError(404, 'no such product');
      return { id: call.parameter, price: 9.99 };
    },
  }).start();

  const cart = await new Service('cart', 'http/protobuf', endpoints, {
    '/carts/{id}': async call => {
      await call.step('HGETALL', { 'db.system.name': 'redis', 'db.namespace': '0' }, () => sleep(chance() * 3));
      call.log(SeverityNumber.DEBUG, 'cart loaded', { 'cart.id': call.parameter });
      return { items: 1 + Math.floor(chance() * 3) };
    },
  }).start();

  const frontend = await new Service('frontend', 'grpc', endpoints, {
    '/checkout/{id}': async call => {
      const { items } = (await call.fetch(cart, `/carts/${call.parameter}`)) as { items: number };
      await Promise.all(
        Array.from({ length: items }, () => call.fetch(catalog, `/products/${1 + Math.floor(chance() * 13)}`)),
      );
      await call.fetch(payment, `/charge/${call.parameter}`);
      call.log(SeverityNumber.INFO, 'order placed', { 'order.id': call.parameter, 'order.items': items });
      return { ok: true };
    },
  }).start();

  let orders = 0;
  let failed = 0;
  const end = performance.now() + milliseconds;
  const customer = async (): Promise<void> => {
    while (performance.now() < end) {
      orders += 1;
      await frontend.call(`/checkout/${orders}`, ROOT_CONTEXT).catch(() => {
        failed += 1;
      });
      await sleep(5 + chance() * 15);
    }
  };
  await Promise.all(Array.from({ length: 6 }, customer));
  await Promise.all([frontend, cart, catalog, payment].map(service => service.stop()));
  context.disable();
  propagation.disable();
  return { orders, failed };
}

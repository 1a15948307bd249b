/** The programs that make HTTP requests on order from inside pods: one in each pod, started when it is first needed. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Delivery, Order } from '../calculator/courier.ts';
import type { GrpcDelivery, GrpcOrder } from '../calculator/grpc/trip.ts';
import type { Running } from '../cluster.ts';
import { program } from '../inventory.ts';
import { mustAsk } from '../mesh/http.ts';

const ORDER_TIMEOUT_MS = 120_000;

export class Couriers {
  readonly #folder: string;
  #named = 0;
  readonly #sockets = new Map<Running, Promise<string>>();

  /** @param folder for their sockets. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves when the order is carried out, whatever came of its requests. */
  order(from: Running, order: Order): Promise<Delivery> {
    return this.#send<Delivery>(from, '/', order);
  }

  /** The same, until it is stopped. */
  begin(from: Running, order: Order): { stop(): Promise<Delivery> } {
    const name = `order-${++this.#named}`;
    const delivery = this.order(from, { count: Number.MAX_SAFE_INTEGER, ...order, name });
    // Whoever stops it hears of its failure.
    delivery.catch(() => {});
    const stop = async () => {
      await this.#send(from, '/stop', { name });
      return delivery;
    };
    return { stop };
  }

  /** What a WebSocket server answers to the messages, and how it closes. */
  converse(from: Running, url: string, messages: readonly string[]): Promise<string[]> {
    return this.#send<string[]>(from, '/websocket', { url, messages });
  }

  call(from: Running, order: GrpcOrder): Promise<GrpcDelivery> {
    return this.#send<GrpcDelivery>(from, '/grpc', order);
  }

  async #send<Result>(from: Running, path: string, body: object): Promise<Result> {
    const socketPath = await this.#courierIn(from);
    const options = {
      method: 'POST',
      body: JSON.stringify(body),
      type: 'application/json',
      timeoutMs: ORDER_TIMEOUT_MS,
    };
    return JSON.parse(await mustAsk({ socketPath }, path, options)) as Result;
  }

  #courierIn(running: Running): Promise<string> {
    let socket = this.#sockets.get(running);
    if (socket === undefined) {
      socket = this.#start(running);
      this.#sockets.set(running, socket);
    }
    return socket;
  }

  async #start({ pod }: Running): Promise<string> {
    const socketPath = join(this.#folder, `${pod.netns.name}.orders.sock`);
    rmSync(socketPath, { force: true });
    const child = pod.start('courier', program('courier.ts'), { ORDERS: socketPath });
    const order = { method: 'POST', body: '{"url":"","count":0}', type: 'application/json' };
    await child.until('taking orders', async () => (await mustAsk({ socketPath }, '/', order)) !== '');
    return socketPath;
  }
}

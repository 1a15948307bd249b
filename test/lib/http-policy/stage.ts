/** What a test of the HTTP data path has open: closed after it, newest first. */

import { afterEach } from 'node:test';
import { App, type AppBehaviour } from './app.ts';
import { Hop, type HopOptions } from './hop.ts';
import { RawClient } from './raw-client.ts';

export interface Stage {
  hop: Hop;
  port: number;
  /** Connected to the hop. */
  client: RawClient;
}

const open: { close(): unknown }[] = [];

export function opened<T extends { close(): unknown }>(one: T): T {
  open.push(one);
  return one;
}

/** To be called in each file. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });
}

export async function appOf(behaviour: AppBehaviour): Promise<App> {
  return opened(await App.listen(behaviour));
}

export async function echoApp(): Promise<App> {
  return opened(await App.echo());
}

/** A hop in front of the applications, and one client. */
export async function stageOf(apps: readonly App[], options: Partial<HopOptions> = {}): Promise<Stage> {
  const hop = opened(new Hop({ replicas: apps.map(({ address }) => address), ...options }));
  const port = await hop.listen();
  return { hop, port, client: await clientOf(port) };
}

export async function clientOf(port: number): Promise<RawClient> {
  return opened(await RawClient.connect(port));
}

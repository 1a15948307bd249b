/**
 * How a service of the calculator behaves on order: slow, failing, or as it should. The orders come over a unix
 * socket, beside the network, so that no mesh has a say in them.
 */

import { createServer } from 'node:http';

export interface Behaviour {
  /** Milliseconds before it answers. */
  delayMs: number;
  /** Answers this HTTP status instead of calculating; 0: calculates. */
  status: number;
}

const MAX_ORDER_BYTES = 1024;

/** @returns what holds now; POST a part of it as JSON to change that. Nothing listens without a path. */
export function behaviourOnOrder(path: string | undefined): Behaviour {
  const behaviour: Behaviour = { delayMs: 0, status: 0 };
  if (path === undefined) return behaviour;
  createServer((request, response) => {
    let text = '';
    request.on('data', chunk => {
      if (text.length < MAX_ORDER_BYTES) text += chunk;
    });
    request.on('end', () => {
      try {
        if (text !== '') Object.assign(behaviour, JSON.parse(text));
        response.end(JSON.stringify(behaviour));
      } catch (error) {
        response.writeHead(400).end(String(error));
      }
    });
  }).listen(path);
  return behaviour;
}

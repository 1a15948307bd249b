/**
 * A policy worker that understands a protocol of its own instead of HTTP: it answers each chunk with its name, says
 * for whom, dies or hangs when told to, and relays what is for the service `relay`.
 */

import { workerData } from 'node:worker_threads';
import { type Side, sideOf } from '../../../node-proxy/tunnel/index.ts';
import type { WorkerStart } from '../../../node-proxy/workers/messages.ts';
import { PolicyWorker } from '../../../node-proxy/workers/policy-worker.ts';
import { runThread } from '../../../node-proxy/workers/thread-body.ts';

const { worker } = workerData as WorkerStart;

runThread(
  parts =>
    new PolicyWorker({
      ...parts,
      http: (_, openNames) => {
        const names = openNames<{ text: string }>({
          compile: state => ({ text: JSON.stringify(state) }),
          release: () => {},
        });
        const answer = (side: Side, who: string) =>
          side.start({
            onData: chunk => {
              const text = String(chunk);
              if (text.startsWith('bind ')) return void bind(side, text.slice(5));
              side.write(Buffer.from(`${worker} ${who} ${text}`));
              if (text === 'die') eatMemory();
              // Not in this turn: the answer is to leave first.
              if (text === 'hang') setImmediate(hang);
            },
            onEnd: () => side.end(),
            onDrain: () => {},
            onClosed: () => {},
          });
        const bind = async (side: Side, name: string) => {
          const bound = names.known(name) ?? (await names.resolve(name));
          side.write(Buffer.from(`${name} is ${bound?.text}`));
        };
        return {
          outbound: call => {
            const side = sideOf(call.open());
            if (call.target.service === 'shop/relay') call.relay(side);
            else answer(side, `from ${call.pod.who.name}`);
          },
          inbound: call => {
            const opened = call.open();
            call.accepted();
            answer('start' in opened ? opened : sideOf(opened), `to ${call.pod.who.name}`);
          },
          sweep: () => {},
          close: () => {},
        };
      },
    }),
);

function hang(): never {
  for (;;);
}

function eatMemory(): never {
  const eaten: object[] = [];
  for (;;) eaten.push({ more: [eaten.length] });
}

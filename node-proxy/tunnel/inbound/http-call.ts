/** Gives a caller of a pod that asks for HTTP to who understands it; keeps the way back to plain bytes. */

import type { Socket } from 'node:net';
import { formatEndpoint } from '#base/net.ts';
import type { SocketReader } from '../accept.ts';
import { refusalOf } from '../failure.ts';
import type { HttpHooks } from '../layer7.ts';
import type { LocalPod } from '../local-pod.ts';
import type { Connection } from '../relay/connection.ts';
import type { Side } from '../relay/side.ts';
import { callerAt, type InboundCaller } from './enter.ts';

export interface HttpEntrance {
  pod: LocalPod;
  caller: InboundCaller;
  ip: string;
  port: number;
  /** A new record of it, for what is refused or carried as bytes. */
  connection: () => Connection;
  open(reader?: SocketReader): Socket | Side;
  accepted(): void;
  /** Ends it unanswered. */
  reset(error: unknown): void;
}

export function callHttp(http: HttpHooks, entrance: HttpEntrance): void {
  const { pod, caller, ip, port, connection } = entrance;
  const refused = (error: unknown) => connection().refused(refusalOf(error, 'inbound'));
  const first = connection();
  first.handedOver();
  const { source, labels } = first;
  http.inbound({
    pod,
    caller,
    source: formatEndpoint(source.ip, source.port),
    ip,
    port,
    labels,
    open: reader => entrance.open(reader),
    accepted: () => entrance.accepted(),
    refuse: error => {
      refused(error);
      entrance.reset(error);
    },
    relay: (client, app) => {
      const carried = connection();
      try {
        carried.judge(pod, callerAt(caller, port));
        carried.attempts = 1;
        carried.establish(client, app);
      } catch (error) {
        carried.refused(refusalOf(error, 'inbound'));
        client.reset();
        app.reset();
      }
    },
  });
}

/**
 * A node proxy's side of the mesh API. It keeps one connection to namerd, comes back after every break with the
 * versions it has, and hands on states in the order in which they arrive. Without namerd nothing is lost: listeners
 * keep what they have.
 */

import { Backoff } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { type Logger, silentLog } from '#base/log.ts';
import { Cell, type Dispose, firstWhere, type Watchable } from '#base/watch.ts';
import { MeshConnection, type MeshCredentials } from './mesh-connection.ts';
import { MeshApiError } from './mesh-error.ts';
import type { Issued, JoinRequest, ServerLine, WatchKind, WatchStates } from './mesh-protocol.ts';
import { ReportSlot } from './report-slot.ts';
import { type OnRefused, type OnState, WatchTable } from './watch-table.ts';

/** `connecting` only until the first connection or failure; a retry that fails again stays `down` since the first time. */
export interface MeshStatus {
  state: 'connected' | 'connecting' | 'down';
  /** When this state began, milliseconds since the epoch. */
  sinceMs: number;
  /** Why it is down. */
  error?: MeshApiError;
}

export interface MeshClientOptions {
  host: string;
  port: number;
  trustDomain: string;
  /** PEM of namerd's roots. */
  roots: readonly string[];
  /** Without them only {@link MeshClient.join} works. */
  credentials?: MeshCredentials;
  clock: Clock;
  log?: Logger;
  /** 0 ≤ random() < 1 */
  random?: () => number;
  /** For dialling and for single requests; 10 s by default. */
  timeoutMs?: number;
}

const BACKOFF = { minMs: 100, maxMs: 5000 };
/**
 * Nobody there costs nobody anything, so it is asked for often: changes flow within a second after namerd is back.
 * Refusals and failed handshakes cost namerd time, and wait longer.
 */
const MAX_WAIT_UNREACHABLE_MS = 500;

export class MeshClient {
  readonly status: Watchable<MeshStatus>;
  readonly #options: MeshClientOptions & { timeoutMs: number; log: Logger };
  readonly #status: Cell<MeshStatus>;
  readonly #backoff: Backoff;
  readonly #table: WatchTable;
  readonly #report = new ReportSlot();
  readonly #joins = new Set<MeshConnection>();
  readonly #closing = new AbortController();
  #roots: readonly string[];
  #credentials: MeshCredentials | undefined;
  #connection: MeshConnection | undefined;
  #up = false;
  #retry: Timer | undefined;

  constructor(options: MeshClientOptions) {
    this.#options = { ...options, timeoutMs: options.timeoutMs ?? 10_000, log: options.log ?? silentLog };
    this.#roots = options.roots;
    this.#credentials = options.credentials;
    this.#backoff = new Backoff({
      ...BACKOFF,
      ...(options.random === undefined ? {} : { random: options.random }),
    });
    this.#status = new Cell<MeshStatus>({ state: 'connecting', sinceMs: options.clock.now() });
    this.status = this.#status;
    this.#table = new WatchTable({
      send: line => this.#up && this.#connection?.send(line),
      onProblem: (message, err) => this.#options.log.error({ err }, message),
    });
    this.#connect();
  }

  /** How many keys are watched now. */
  get watches(): number {
    return this.#table.size;
  }

  /**
   * Watches a key until disposed. `onState` comes at once when another listener has brought the state already.
   * @param more `known`: a state that the caller has, for example from disk; it is not announced again.
   */
  watch<K extends WatchKind>(
    kind: K,
    key: string,
    onState: OnState<WatchStates[K]>,
    more: { known?: { version: string; state: WatchStates[K] | undefined }; onRefused?: OnRefused } = {},
  ): Dispose {
    const listener = { onState: onState as OnState<unknown>, onRefused: more.onRefused };
    return this.#table.add(kind, key, listener, more.known);
  }

  /**
   * The node's first certificate, over a connection of its own. The caller hands it to {@link setCredentials}.
   * @throws MeshApiError
   */
  async join(request: JoinRequest): Promise<Issued> {
    this.#mustBeOpen();
    const { promise: broken, reject } = Promise.withResolvers<never>();
    const connection = this.#dial(undefined, reject);
    this.#joins.add(connection);
    try {
      return issued(await Promise.race([connection.request('/mesh/v1/join', request), broken]));
    } finally {
      this.#joins.delete(connection);
      connection.destroy();
    }
  }

  /**
   * A certificate for a workload of this node, or for the node itself. Waits for a connection while there is none.
   * @param csr PEM
   * @throws MeshApiError with namerd's code when it refuses; NM_MESH_TIMEOUT without a connection in time
   */
  async certificate(identity: string, csr: string): Promise<Issued> {
    this.#mustBeOpen();
    await this.#connected();
    const connection = this.#connection;
    if (connection === undefined)
      throw MeshApiError.failure('NM_MESH_UNREACHABLE', 'there is no connection to namerd');
    return issued(await connection.request('/mesh/v1/certificates', { identity, csr }));
  }

  /**
   * Replaces what this node reports as enrolled (`<namespace>/<name>`). Kept, and sent again on every connection.
   * Resolves when every binding knows; that may take until namerd is back.
   * @throws MeshApiError
   */
  async report(enrolled: readonly string[]): Promise<void> {
    this.#mustBeOpen();
    const { line, done } = this.#report.put(enrolled);
    if (this.#up) this.#connection?.send(line);
    await done;
  }

  /** Takes effect at once: a new connection replaces the one with the old certificate, and watches resume on it. */
  setCredentials(credentials: MeshCredentials): void {
    this.#credentials = credentials;
    this.#backoff.reset();
    this.#reconnect();
  }

  /** For the next connections; the present one was verified when it began. */
  setRoots(roots: readonly string[]): void {
    this.#roots = roots;
    if (!this.#up) this.#reconnect();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(MeshApiError.failure('NM_MESH_CLOSED', 'the client was closed'));
    this.#retry?.cancel();
    this.#up = false;
    this.#connection?.destroy();
    for (const connection of this.#joins) connection.destroy();
    this.#report.close();
  }

  #reconnect(): void {
    if (this.#closing.signal.aborted) return;
    this.#retry?.cancel();
    this.#up = false;
    this.#connection?.close();
    this.#connection = undefined;
    this.#connect();
  }

  #connect(): void {
    if (this.#credentials === undefined) return;
    const connection: MeshConnection = this.#dial(this.#credentials, error => this.#down(connection, error));
    this.#connection = connection;
    connection.watch({
      onUp: () => this.#onUp(connection),
      onLine: line => this.#onLine(connection, line),
    });
  }

  #dial(credentials: MeshCredentials | undefined, onDown: (error: MeshApiError) => void): MeshConnection {
    const { host, port, trustDomain, clock, timeoutMs } = this.#options;
    return new MeshConnection({
      host,
      port,
      trustDomain,
      roots: this.#roots,
      credentials,
      clock,
      timeoutMs,
      onDown,
    });
  }

  #onUp(connection: MeshConnection): void {
    if (connection !== this.#connection) return;
    this.#up = true;
    this.#backoff.reset();
    if (this.#report.line !== undefined) connection.send(this.#report.line);
    for (const line of this.#table.lines()) connection.send(line);
    this.#setStatus('connected');
  }

  #onLine(connection: MeshConnection, line: ServerLine): void {
    if (connection !== this.#connection) return;
    if ('reported' in line) this.#report.settle(line.reported, line.error);
    else if ('id' in line) this.#table.take(line);
  }

  #down(connection: MeshConnection, error: MeshApiError): void {
    if (connection !== this.#connection || this.#closing.signal.aborted) return;
    this.#up = false;
    this.#connection = undefined;
    const wait = this.#backoff.nextMs();
    const waitMs = error.code === 'NM_MESH_UNREACHABLE' ? Math.min(wait, MAX_WAIT_UNREACHABLE_MS) : wait;
    this.#setStatus('down', error);
    this.#retry = this.#options.clock.after(waitMs, () => this.#connect());
  }

  #setStatus(state: MeshStatus['state'], error?: MeshApiError): void {
    const { clock, log } = this.#options;
    const before = this.#status.current;
    if (before.state !== state || before.error?.code !== error?.code) {
      if (error === undefined) log.info('connected to namerd');
      else log.warn({ err: error }, 'no connection to namerd; what is known stays in force');
    }
    const sinceMs = before.state === state ? before.sinceMs : clock.now();
    this.#status.set({ state, sinceMs, ...(error === undefined ? {} : { error }) });
  }

  async #connected(): Promise<void> {
    if (this.#up) return;
    if (this.#credentials === undefined)
      throw MeshApiError.failure('NM_MESH_CREDENTIALS', 'this node has no certificate yet');
    const { clock, timeoutMs } = this.#options;
    const late = new AbortController();
    const timer = clock.after(timeoutMs, () => {
      const { error } = this.#status.current;
      const why = error === undefined ? '' : `: ${error.message}`;
      late.abort(
        MeshApiError.failure('NM_MESH_TIMEOUT', `no connection within ${timeoutMs} ms${why}`, error),
      );
    });
    try {
      const signal = AbortSignal.any([late.signal, this.#closing.signal]);
      await firstWhere(this.#status, ({ state }) => state === 'connected' && this.#up, signal);
    } finally {
      timer.cancel();
    }
  }

  #mustBeOpen(): void {
    this.#closing.signal.throwIfAborted();
  }
}

function issued(answer: unknown): Issued {
  const { chain, trust, notBefore, notAfter } = (answer ?? {}) as Partial<Issued>;
  if (
    typeof chain !== 'string' ||
    typeof trust !== 'object' ||
    typeof notBefore !== 'number' ||
    typeof notAfter !== 'number'
  )
    throw MeshApiError.failure('NM_MESH_PROTOCOL', 'namerd answered with no certificate');
  return { chain, trust, notBefore, notAfter };
}

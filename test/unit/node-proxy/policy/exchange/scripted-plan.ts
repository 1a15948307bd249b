/** A plan that says what a test has told it to say. */

import type { Outcome, Plan, Upstream, Verdict } from '../../../../../node-proxy/policy/exchange/plan.ts';
import type { HttpRefusal } from '../../../../../node-proxy/policy/reply/index.ts';

export class ScriptedPlan implements Plan {
  totalMs = 0;
  perTryMs = 0;
  perTryWhole = false;
  idleMs = 0;
  keepBytes = -1;
  path = '';
  readonly authority = undefined;
  readonly requestEdits = undefined;
  readonly responseEdits = undefined;
  readonly ownLines = '';
  readonly ownFields = [];
  backoffMs = 0;
  verdict: () => Verdict | Promise<Verdict> = () => 'forward';
  upstream: Upstream | HttpRefusal;
  retry: (refusal: HttpRefusal, untouched: boolean) => boolean = (_refusal, untouched) => untouched;
  retryStatus = 0;
  readonly ends: Outcome[] = [];
  readonly failures: [reason: string, untouched: boolean][] = [];

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  begin({ path }: { path: string }): Verdict | Promise<Verdict> {
    this.path = path;
    return this.verdict();
  }
  next(): Upstream | HttpRefusal {
    return this.upstream;
  }
  responded(status: number): 'forward' | 'retry' {
    return status === this.retryStatus ? 'retry' : 'forward';
  }
  failed(refusal: HttpRefusal, untouched: boolean): 'retry' | HttpRefusal {
    this.failures.push([refusal.reason, untouched]);
    return this.retry(refusal, untouched) ? 'retry' : refusal;
  }
  tooLarge(): void {}
  end(outcome: Outcome): void {
    this.ends.push({ ...outcome });
  }
}

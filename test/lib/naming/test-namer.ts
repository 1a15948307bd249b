/** A namer whose answers a test sets; whoever has not been told of an answer gets the default. */

import { Cell, type Watchable } from '#base/watch.ts';
import { leaf, type NameTree, NEG, Path } from '#names';
import {
  type BoundName,
  failed,
  type Namer,
  type NamerAnswer,
  NamerError,
  ok,
  PENDING,
  plainReplica,
} from '../../../namerd/namers/index.ts';

export class TestNamer implements Namer {
  readonly kind = 'test';
  readonly prefix: Path;
  readonly openElems = 0;
  readonly #default: NamerAnswer;
  readonly #cells = new Map<string, Cell<NamerAnswer>>();

  constructor(prefix = '/#/test', otherwise: NamerAnswer = ok(NEG)) {
    this.prefix = Path.of(...prefix.split('/').slice(1));
    this.#default = otherwise;
  }

  lookup(rest: Path): Watchable<NamerAnswer> {
    return this.#cell(rest.show);
  }

  /** @param state `pending`, `failed`, `neg`, `fail`, `empty`, or an `ip:port` that is bound */
  set(rest: string, state: string): void {
    this.#cell(rest).set(this.#answer(rest, state));
  }

  observers(rest: string): number {
    return this.#cell(rest).observers;
  }

  #cell(rest: string): Cell<NamerAnswer> {
    let cell = this.#cells.get(rest);
    if (cell === undefined) {
      cell = new Cell(this.#default);
      this.#cells.set(rest, cell);
    }
    return cell;
  }

  #answer(rest: string, state: string): NamerAnswer {
    if (state === 'pending') return PENDING;
    if (state === 'failed') return failed(new NamerError(`${rest} failed`, 'Ask the test.'));
    if (state === 'neg' || state === 'fail' || state === 'empty')
      return ok({ type: state } as NameTree<never>);
    const [ip = '', port = '0'] = state.split(':');
    const id = this.prefix.concat(Path.of(...rest.split('/').slice(1)));
    const name: BoundName = {
      type: 'bound',
      id,
      residual: Path.empty,
      replicas: { state: 'bound', replicas: [plainReplica(ip, Number(port), 1)] },
    };
    return ok(leaf(name));
  }
}

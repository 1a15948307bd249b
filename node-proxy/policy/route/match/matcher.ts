/** Which match of a table decides about a request: the first that fits (namerd has sorted them). */

import type { RouteTable } from '#api';
import { messageOf } from '#base/errors.ts';
import type { RequestView } from '../../view.ts';
import { CompiledAction } from '../action.ts';
import { CompiledMatch } from './compiled-match.ts';
import { type MatchSet, setOf } from './match-set.ts';
import { Probe } from './probe.ts';

export class RouteMatcher {
  /**
   * What could not be used of the table, for the log; namerd lets nothing of it through, so it is a namerd that
   * knows more than this proxy. A match whose pattern can't be read fits nothing; an action with a filter that
   * can't be followed is answered with 500.
   */
  readonly problems: readonly string[];
  readonly actions: readonly CompiledAction[];
  readonly #matches: readonly (CompiledMatch | undefined)[];
  readonly #set: MatchSet;
  readonly #probe = new Probe();

  constructor(table: RouteTable) {
    const problems: string[] = [];
    this.actions = table.actions.map(each => new CompiledAction(each));
    for (const action of this.actions) {
      if (action.invalid !== undefined) problems.push(`${action.id}: ${action.invalid}`);
    }
    this.#matches = table.matches.map((match, i) => {
      const action = this.actions[match.action];
      if (action === undefined) {
        problems.push(`match ${i}: no action ${match.action}`);
        return undefined;
      }
      try {
        return new CompiledMatch(i, match, action, this.#probe);
      } catch (error) {
        problems.push(`${action.id}: match ${i}: ${messageOf(error)}`);
        return undefined;
      }
    });
    this.#set = setOf(this.#matches.filter(each => each !== undefined));
    this.problems = problems;
  }

  /** @returns undefined: no match fits, which is answered with 404. */
  match(request: RequestView): CompiledMatch | undefined {
    const probe = this.#probe;
    const none = this.#matches.length;
    probe.start(request);
    const index = this.#set.first(probe, request.method, none);
    probe.over();
    return index === none ? undefined : this.#matches[index];
  }
}

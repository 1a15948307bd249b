/** The error result of the CNI specification: JSON on standard output, with a code that runtimes understand. */

/** Codes of the specification, and ours from 100 on. */
export const CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  badEnvironment: 4,
  io: 5,
  undecodable: 6,
  badConfig: 7,
  tryAgainLater: 11,
  notAvailable: 50,
  /** Pods that are already running are affected as well. */
  limitedConnectivity: 51,
  /** node-proxy answered, and said no. */
  refused: 100,
  /** A bug of this plugin. */
  internal: 999,
} as const;

export class CniError extends Error {
  readonly code: number;
  /** What to check next, and where it comes from. */
  readonly details: string;

  constructor(code: number, message: string, details = '') {
    super(message);
    this.name = 'CniError';
    this.code = code;
    this.details = details;
  }

  /** @param cniVersion of the configuration, as far as it could be read. */
  toResult(cniVersion: string): Record<string, unknown> {
    return {
      cniVersion,
      code: this.code,
      msg: `nodemesh: ${this.message}`,
      ...(this.details === '' ? {} : { details: this.details }),
    };
  }
}

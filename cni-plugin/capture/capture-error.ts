/** Capture could not be put in place, read or removed. */

import { MeshError } from '#base/errors.ts';

export class CaptureError extends MeshError {
  /** @param code `NM_CAPTURE_NETNS`, `NM_CAPTURE_COMMAND`, `NM_CAPTURE_TIMEOUT`, `NM_CAPTURE_RULES` or `NM_CAPTURE_IPTABLES`. */
  constructor(code: string, message: string, details: { next?: string; cause?: unknown } = {}) {
    super(code, message, { by: 'mesh', ...details });
  }
}

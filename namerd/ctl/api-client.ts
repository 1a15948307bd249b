/** namerd's control API as namerctl uses it. Every answer that is no success is an {@link ApiError}. */

import { MeshError, messageOf } from '#base/errors.ts';

export interface Answer {
  status: number;
  etag: string | undefined;
  body: string;
}

export interface Ask {
  method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  query?: Readonly<Record<string, string | undefined>>;
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

const TIMEOUT_MS = 30_000;

/** namerd answered with an error. */
export class ApiError extends MeshError {
  readonly status: number;

  constructor(status: number, code: string, message: string, next: string | undefined) {
    super(code, message, next === undefined ? { by: 'client' } : { by: 'client', next });
    this.status = status;
  }
}

export class UnreachableError extends MeshError {
  constructor(url: string, cause: unknown) {
    const { cause: inner } = cause as { cause?: unknown };
    super('NM_CTL_UNREACHABLE', `namerd at ${url} cannot be reached: ${messageOf(inner ?? cause)}`, {
      by: 'client',
      next: 'Start it, or name its address with --base-url or NAMERCTL_BASE_URL.',
      cause,
    });
  }
}

export class ApiClient {
  readonly #baseUrl: string;
  readonly #fetch: typeof fetch;

  constructor(baseUrl: string, fetchWith: typeof fetch) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetchWith;
  }

  /** @param segments of the path below `/api/1`; escaped here. @throws ApiError, UnreachableError */
  async ask(
    segments: readonly string[],
    { method = 'GET', query = {}, headers = {}, body }: Ask = {},
  ): Promise<Answer> {
    const url = new URL(`${this.#baseUrl}/api/1/${segments.map(encodeURIComponent).join('/')}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, value);
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(url, {
        method,
        headers: { accept: 'application/json', ...headers },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
      });
      text = await response.text();
    } catch (error) {
      throw new UnreachableError(this.#baseUrl, error);
    }
    if (!response.ok) throw apiError(response.status, text);
    return { status: response.status, etag: response.headers.get('etag') ?? undefined, body: text };
  }

  /** As {@link ask}, for answers in JSON. */
  async json<T>(segments: readonly string[], ask: Ask = {}): Promise<T> {
    const { body } = await this.ask(segments, ask);
    try {
      return JSON.parse(body) as T;
    } catch {
      throw new ApiError(502, 'NM_CTL_ANSWER', 'the answer is no JSON: is this a namerd?', undefined);
    }
  }

  /** Undefined when it does not exist. */
  async find<T>(segments: readonly string[]): Promise<T | undefined> {
    try {
      return await this.json<T>(segments);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }
}

function apiError(status: number, text: string): ApiError {
  try {
    const { code, message, next } = JSON.parse(text) as { code?: string; message?: string; next?: string };
    if (message !== undefined) return new ApiError(status, code ?? `NM_HTTP_${status}`, message, next);
  } catch {
    // Not ours: what a proxy in between or an older namerd says is shown as it is.
  }
  return new ApiError(
    status,
    `NM_HTTP_${status}`,
    `${status}: ${text.trim() || 'no reason was given'}`,
    undefined,
  );
}

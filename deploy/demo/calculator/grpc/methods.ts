/** What the gRPC calculator's services are called, and how they are called. */

import { credentials, Metadata, makeClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { decodeNumbers, decodeResult, encodeNumbers, encodeResult, type Numbers } from './messages.ts';

/** Operation → its service and method: `division` → `/calculator.Division/Divide`. */
const METHODS: Readonly<Record<string, readonly [service: string, method: string]>> = {
  addition: ['Addition', 'Add'],
  division: ['Division', 'Divide'],
  multiplication: ['Multiplication', 'Multiply'],
  subtraction: ['Subtraction', 'Subtract'],
  percentage: ['Percentage', 'Percent'],
};
const CALL_TIMEOUT_MS = 10_000;

/** grpc-js' service definition of one operation. */
export function definitionOf(operation: string) {
  const [service, method] = METHODS[operation] ?? [];
  if (service === undefined) throw new RangeError(`no operation ${operation}`);
  return {
    calculate: {
      path: `/calculator.${service}/${method}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: encodeNumbers,
      requestDeserialize: decodeNumbers,
      responseSerialize: encodeResult,
      responseDeserialize: decodeResult,
    },
  };
}

export interface Answer {
  /** gRPC status code; 0 = OK. */
  code: number;
  value: number;
  /** Instance and version, for example `division-1/v1`; '' when the application did not answer. */
  by: string;
  message: string;
}

interface Calculate {
  calculate(
    numbers: Numbers,
    metadata: Metadata,
    options: { deadline: number },
    done: (error: ServiceError | null, value?: number) => void,
  ): { on(event: 'metadata' | 'status', heard: (said: Metadata | { metadata: Metadata }) => void): void };
  close(): void;
}

/** A channel that is kept open: all calls go over one connection. */
export class Channel {
  readonly #client: Calculate;

  /** @param target `host:port` */
  constructor(operation: string, target: string) {
    const Client = makeClientConstructor(definitionOf(operation), operation);
    this.#client = new Client(target, credentials.createInsecure()) as unknown as Calculate;
  }

  /** Never rejects. */
  call(numbers: Numbers): Promise<Answer> {
    return new Promise(resolve => {
      let by = '';
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      const call = this.#client.calculate(numbers, new Metadata(), { deadline }, (error, value = 0) => {
        const code = error?.code ?? 0;
        const from = error === null ? by : String(error.metadata?.get('x-answered-by')[0] ?? by);
        resolve({ code, value, by: from, message: error?.details ?? '' });
      });
      call.on('metadata', said => {
        by = String((said as Metadata).get('x-answered-by')[0] ?? '');
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

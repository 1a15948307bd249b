/**
 * One service of the gRPC calculator; its first argument says which. Percentage asks multiplication and division,
 * over channels that it keeps open.
 */

import { hostname } from 'node:os';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { Numbers } from './messages.ts';
import { Channel, definitionOf } from './methods.ts';

type Operation = (numbers: Numbers) => number | Promise<number>;

const operation = process.argv[2] ?? '';
const address = `0.0.0.0:${process.env['PORT'] ?? 80}`;
const by = `${hostname()}/${process.env['VERSION'] ?? 'v1'}`;

function operationOf(name: string): Operation {
  switch (name) {
    case 'addition':
      return ({ op1, op2 }) => op1 + op2;
    case 'subtraction':
      return ({ op1, op2 }) => op1 - op2;
    case 'multiplication':
      return ({ op1, op2 }) => op1 * op2;
    case 'division':
      return ({ op1, op2 }) => {
        // As integer arithmetic has it; what is thrown is status UNKNOWN to the caller.
        if (op2 === 0) throw new RangeError('division by zero');
        return Math.trunc(op1 / op2);
      };
    case 'percentage':
      return percentage();
    default:
      throw new Error('usage: service.ts addition|subtraction|multiplication|division|percentage');
  }
}

function percentage(): Operation {
  const multiplication = new Channel('multiplication', 'multiplication.grpc-calculator:5003');
  const division = new Channel('division', 'division.grpc-calculator:5002');
  return async ({ op1, op2 }) => {
    const product = await multiplication.call({ op1, op2 });
    const quotient = await division.call({ op1: product.value, op2: 100 });
    const failed = [product, quotient].find(({ code }) => code !== status.OK);
    if (failed !== undefined) throw new Error(failed.message);
    return quotient.value;
  };
}

const calculate = operationOf(operation);

async function answer(call: ServerUnaryCall<Numbers, number>, done: sendUnaryData<number>): Promise<void> {
  const metadata = new Metadata();
  metadata.set('x-answered-by', by);
  call.sendMetadata(metadata);
  try {
    done(null, await calculate(call.request));
  } catch (error) {
    const trailers = new Metadata();
    trailers.set('x-answered-by', by);
    done({ code: status.UNKNOWN, details: String(error), metadata: trailers });
  }
}

const server = new Server();
server.addService(definitionOf(operation), {
  calculate: (call: ServerUnaryCall<Numbers, number>, done: sendUnaryData<number>) => void answer(call, done),
});
server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(`${operation} listens on ${port}`);
});
process.once('SIGTERM', () => server.tryShutdown(() => process.exit(0)));

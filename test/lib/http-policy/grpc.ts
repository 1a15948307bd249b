/** gRPC's own library at both ends: a service with one method of each kind, whose messages are bytes. */

import { once } from 'node:events';
import {
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';

type Method = MethodDefinition<Buffer, Buffer>;

const bytes = (value: Buffer): Buffer => value;

function method(name: string, requestStream: boolean, responseStream: boolean): Method {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
}

export const METHODS = {
  unary: method('Unary', false, false),
  clientStream: method('ClientStream', true, false),
  serverStream: method('ServerStream', false, true),
  bidi: method('Bidi', true, true),
} satisfies Record<string, Method>;

export interface Handlers {
  unary?: handleUnaryCall<Buffer, Buffer>;
  clientStream?: handleClientStreamingCall<Buffer, Buffer>;
  serverStream?: handleServerStreamingCall<Buffer, Buffer>;
  bidi?: handleBidiStreamingCall<Buffer, Buffer>;
}

export interface GrpcServer {
  address: string;
  server: Server;
  close(): void;
}

const LARGE = 64 * 1024 * 1024;

/** @param handlers what is not given is UNIMPLEMENTED. */
export async function grpcServer(handlers: Handlers): Promise<GrpcServer> {
  const server = new Server({ 'grpc.max_receive_message_length': LARGE });
  server.addService(METHODS, handlers as never);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { address: `127.0.0.1:${port}`, server, close: () => server.forceShutdown() };
}

export class GrpcClient {
  readonly client: Client;

  constructor(port: number) {
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': LARGE,
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  unary(message: Buffer | string, deadlineMs = 10_000, metadata = new Metadata()): Promise<Buffer> {
    const { path } = METHODS.unary;
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        bytes,
        bytes,
        Buffer.from(message),
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error, answer) => (error === null ? resolve(answer as Buffer) : reject(error)),
      );
    });
  }

  /** The status of a call that is to fail. */
  async failure(message: Buffer | string, deadlineMs?: number): Promise<ServiceError> {
    try {
      await this.unary(message, deadlineMs);
    } catch (error) {
      return error as ServiceError;
    }
    throw new Error('the call did not fail');
  }

  /** @returns the call, and its one answer. */
  clientStream() {
    let answered: (value: Buffer) => void;
    let failed: (error: Error) => void;
    const answer = new Promise<Buffer>((resolve, reject) => {
      answered = resolve;
      failed = reject;
    });
    const call = this.client.makeClientStreamRequest(
      METHODS.clientStream.path,
      bytes,
      bytes,
      (error, value) => (error === null ? answered(value as Buffer) : failed(error)),
    );
    return { call, answer };
  }

  serverStream(message: Buffer | string) {
    return this.client.makeServerStreamRequest(METHODS.serverStream.path, bytes, bytes, Buffer.from(message));
  }

  bidi() {
    return this.client.makeBidiStreamRequest(METHODS.bidi.path, bytes, bytes);
  }

  close(): void {
    this.client.close();
  }
}

/** A status that is an error for both ends. */
export function status(code: number, details: string): Partial<ServiceError> {
  return Object.assign(new Error(details), { code, details });
}

export async function allOf(stream: NodeJS.ReadableStream): Promise<Buffer[]> {
  const all: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => void all.push(chunk));
  await once(stream, 'end');
  return all;
}

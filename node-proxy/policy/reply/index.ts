/** What the proxy says when it answers instead of the application. */

export { type DirectReply, type Elsewhere, replyTo } from './direct-reply.ts';
export { grpcMessage, grpcStatusOf, isGrpc } from './grpc.ts';
export { type HttpReason, REASONS } from './reasons.ts';
export { HttpRefusal } from './refusal.ts';

/**
 * The only calls into the kernel that Node.js does not offer. Everything here is synchronous and works in the main
 * thread and in workers; each thread has its own bindings and buffers.
 */

export { type ConnectingOptions, connectingSocketIn } from './connect.ts';
export { closeFd, dupFd, inodeOf, isStill, resetFd } from './descriptor.ts';
export { KernelError } from './kernel-error.ts';
export { type ListeningFd, type ListenOptions, listenIn } from './listen.ts';
export { hostNetns, inNetns, type Netns, type NetnsHandle, openNetns } from './netns.ts';
export { nftGeneration } from './nft-generation.ts';
export { originalDestination } from './original-destination.ts';
export {
  type KeepAlive,
  type PeerCredentials,
  peerCredentials,
  setKeepAlive,
  setMark,
  setTransparent,
  setUserTimeout,
} from './socket-options.ts';
export { readSysctlIn, setSysctlIn } from './sysctl.ts';

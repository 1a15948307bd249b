/**
 * The generation of a network namespace's nftables: the kernel counts it up with every change of any rule, so an equal
 * number means that nothing was touched. Asking costs microseconds; reading the rules takes processes.
 */

import { KernelError } from './kernel-error.ts';
import { check, libc, SOCK_CLOEXEC } from './libc.ts';
import { inNetns, type Netns } from './netns.ts';

/** linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h */
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;
const NLM_F_REQUEST = 1;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = (NFNL_SUBSYS_NFTABLES << 8) | 15;
const NFT_MSG_GETGEN = (NFNL_SUBSYS_NFTABLES << 8) | 16;
const NFTA_GEN_ID = 1;
/** `struct nlmsghdr` and `struct nfgenmsg`. */
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 4;

/** Per thread, used synchronously only. Netlink headers have the machine's byte order, attributes of nftables the network's. */
const request = Buffer.alloc(REQUEST_BYTES);
request.writeUInt32LE(REQUEST_BYTES, 0);
request.writeUInt16LE(NFT_MSG_GETGEN, 4);
request.writeUInt16LE(NLM_F_REQUEST, 6);
const answer = Buffer.alloc(512);

/**
 * @returns undefined when this kernel has no nftables, or does not let us ask (no CAP_NET_ADMIN there).
 * @throws KernelError if the namespace can't be entered.
 */
export function nftGeneration(ns: Netns): number | undefined {
  return inNetns(ns, () => {
    const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) return undefined;
    try {
      check(libc.send(fd, request, REQUEST_BYTES, 0), 'send', 'NFT_MSG_GETGEN');
      // The kernel answers before `send` returns.
      const length = check(libc.recv(fd, answer, answer.length, MSG_DONTWAIT), 'recv', 'NFT_MSG_NEWGEN');
      return readGeneration(answer.subarray(0, Number(length)));
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    } finally {
      libc.close(fd);
    }
  });
}

/** The first message of an answer. Undefined for any other message, an error's too. */
export function readGeneration(bytes: Buffer): number | undefined {
  if (bytes.length < REQUEST_BYTES || bytes.readUInt16LE(4) !== NFT_MSG_NEWGEN) return undefined;
  const end = Math.min(bytes.readUInt32LE(0), bytes.length);
  for (let at = REQUEST_BYTES; at + 4 <= end; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4) return undefined;
    if (bytes.readUInt16LE(at + 2) === NFTA_GEN_ID && length === 8 && at + 8 <= end)
      return bytes.readUInt32BE(at + 4);
    at += (length + 3) & ~3;
  }
  return undefined;
}

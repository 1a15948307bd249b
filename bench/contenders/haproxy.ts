/**
 * haproxy at its best: as a sidecar inside the pods, so that the hops to and from it stay on the pod's loopback
 * device, without redirect rules, logs or checks. One thread per tunnel worker of ours.
 *
 * Session resumption is off, as in the mesh that HBONE comes from (ztunnel) and in ours: a resumed session carries
 * an identity checked earlier over certificate renewal and root rotation. What resumption would save haproxy is measured
 * beside it, on ports of its own.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../deploy/demo/ground/pod.ts';
import type { CertificateFiles } from './certificates.ts';
import { Sidecar } from './sidecar.ts';

/** Of the pair's listeners: full handshake each time, or resumption allowed. */
export const PORTS = { tcp: 15101, full: 15102, resumed: 15103, serverFull: 15108, serverResumed: 15109 };

export const TLS13 = 'ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384';

export interface HaproxyOptions {
  folder: string;
  /** `nbthread`. */
  threads: number;
  maxConnections: number;
  /** Words in front of the command, to pin it. */
  pin: readonly string[];
  /** Lines for the section `global`. */
  global?: readonly string[];
  mode?: 'tcp' | 'http';
}

/** One haproxy process in a pod. */
export class Haproxy extends Sidecar {
  /** @param listeners haproxy `listen` sections. @param port of one of them, to see whether it is up. */
  constructor(pod: Pod, name: string, listeners: string, port: number, options: HaproxyOptions) {
    const file = join(options.folder, `${name}.cfg`);
    writeFileSync(file, haproxyConfig(listeners, options));
    super(pod, name, [...options.pin, 'haproxy', '-db', '-f', file], port);
  }
}

export function haproxyConfig(listeners: string, options: HaproxyOptions): string {
  return `${settings(options)}\n${listeners}\n`;
}

/** Client to server as it is, one haproxy in between. */
export function passthrough(server: string): string {
  return listen('tcp', `127.0.0.1:${PORTS.tcp}`, server);
}

/** The client's half of the pair: plain in, mutual TLS out. */
export function clientHalf(serverIp: string, { client, root }: CertificateFiles): string {
  const tls = `ssl crt ${client} ca-file ${root} verify required ${TLS13}`;
  return [
    listen('full', `127.0.0.1:${PORTS.full}`, `${serverIp}:${PORTS.serverFull} ${tls} no-ssl-reuse`),
    listen('resumed', `127.0.0.1:${PORTS.resumed}`, `${serverIp}:${PORTS.serverResumed} ${tls}`),
  ].join('\n');
}

/** The server's half: mutual TLS in, plain out. */
export function serverHalf(server: string, files: CertificateFiles): string {
  const tls = `ssl crt ${files.server} ca-file ${files.root} verify required ${TLS13}`;
  return [
    listen('full', `:${PORTS.serverFull} ${tls} no-tls-tickets`, server),
    listen('resumed', `:${PORTS.serverResumed} ${tls}`, server),
  ].join('\n');
}

function listen(name: string, bind: string, server: string): string {
  return `listen ${name}\n  bind ${bind}\n  server ${name} ${server}`;
}

function settings({ threads, maxConnections, global = [], mode = 'tcp' }: HaproxyOptions): string {
  return `global
  nbthread ${threads}
  maxconn ${maxConnections}
  tune.ssl.cachesize 20000
${global.map(line => `  ${line}\n`).join('')}defaults
  mode ${mode}
  timeout connect 5s
  timeout client 10m
  timeout server 10m`;
}

/** Certificates for the haproxy pair, of the same make as the mesh's own: P-256, one SPIFFE id each, one root. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKey, type Issuer, issueCertificate, workloadId } from '#trust';

const HOUR_MS = 3_600_000;

export interface CertificateFiles {
  root: string;
  /** Certificate and key in one file, as haproxy wants it. */
  client: string;
  server: string;
}

export async function writeCertificates(folder: string): Promise<CertificateFiles> {
  const validity = { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + 24 * HOUR_MS };
  const { privateKey } = await generateKey();
  const rootPem = issueCertificate({ issuer: 'self', privateKey, ca: { pathLength: 0 }, ...validity });
  const root = write(folder, 'root.pem', rootPem);
  const issuer: Issuer = { certPem: rootPem, privateKey };
  const leaf = async (name: string) => {
    const key = await generateKey();
    const uri = workloadId('bench.nodemesh', 'plain', name);
    const certificate = issueCertificate({ issuer, publicKey: key.publicKey, uri, ...validity });
    return write(folder, `${name}.pem`, `${certificate}\n${key.privateKeyPem}`);
  };
  return { root, client: await leaf('client'), server: await leaf('server') };
}

function write(folder: string, name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

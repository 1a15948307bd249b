/** node-forge's ASN.1 layer alone: a tenth of the whole library's start time, and nothing else of it is needed. */
declare module 'node-forge/lib/asn1.js' {
  import type forge from 'node-forge';

  const asn1: Omit<typeof forge.asn1, 'fromDer'> & {
    fromDer(
      bytes: string,
      options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean; maxDepth: number },
    ): forge.asn1.Asn1;
  };
  export default asn1;
}

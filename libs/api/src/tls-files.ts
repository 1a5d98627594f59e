import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** Paths of PEM files: a private key, its certificate (and the chain to it), and the authorities that peers are signed by. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** PEM texts of files that belong together. */
export interface TlsSet {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  /** When the certificate, or one of the chain that comes with it, ends; milliseconds since 1970. */
  readonly certificateEndsAt: number;
  /** When the last of the authorities ends. */
  readonly authorityEndsAt: number;
}

/** The files cannot be used together; the message names the file and says why. */
export class TlsFilesError extends Error {
  override readonly name = 'TlsFilesError';
}

/**
 * Reads all three, and checks that each can be read and that key and certificate are a pair.
 * @param known given back if the files still say the same
 * @throws TlsFilesError
 */
export function readTlsFiles(files: TlsFiles, known?: TlsSet): TlsSet {
  const [key, cert, ca] = [text(files.key), text(files.cert), text(files.ca)];
  if (known !== undefined && known.key === key && known.cert === cert && known.ca === ca) return known;
  const chain = certificates(cert, files.cert);
  const authorities = certificates(ca, files.ca);
  const privateKey = attempt(files.key, () => createPrivateKey(key));
  if (chain[0]?.checkPrivateKey(privateKey) !== true)
    throw new TlsFilesError(`the key in ${files.key} is not that of the certificate in ${files.cert}`);
  // What OpenSSL refuses of a key or certificate that is well written: too short, or of an old kind.
  attempt(files.cert, () => createSecureContext({ key, cert, ca }));
  const ends = (list: readonly X509Certificate[]) => list.map((c) => c.validToDate.getTime());
  return {
    key,
    cert,
    ca,
    certificateEndsAt: Math.min(...ends(chain)),
    authorityEndsAt: Math.max(...ends(authorities)),
  };
}

function text(path: string): string {
  return attempt(path, () => readFileSync(path, 'utf8'));
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificates(pem: string, path: string): X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new TlsFilesError(`${path} has no certificate in it`);
  return attempt(path, () => blocks.map((block) => new X509Certificate(block)));
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new TlsFilesError(`${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
}

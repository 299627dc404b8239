import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  /** Paths of the two PEM files. */
  readonly cert: string;
  readonly key: string;
  /** The certificate itself, PEM: it is its own authority. */
  readonly ca: string;
}

/** A self-signed certificate for 127.0.0.1 in `folder`; the one that is there already, if any. Node cannot make one. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  if (!existsSync(cert)) {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...[
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '30',
        '-subj',
        '/CN=127.0.0.1',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
      ],
    ]).catch((cause: unknown) => {
      throw new Error('The openssl program could not make a certificate. Is it installed?', { cause });
    });
  }
  return { cert, key, ca: await readFile(cert, 'utf8') };
}

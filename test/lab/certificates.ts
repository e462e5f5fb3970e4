/**
 * Certificates for tests of TLS.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.js';

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'] as const;

/** Certificates and keys in a directory, for servers and clients on 127.0.0.1. */
export class Certificates {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async in(dir: string): Promise<Certificates> {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'san'), 'subjectAltName=IP:127.0.0.1');
    return new Certificates(dir);
  }

  pem(name: string): string {
    return join(this.#dir, `${name}.pem`);
  }

  key(name: string): string {
    return join(this.#dir, `${name}.key`);
  }

  /** One that vouches for itself and others. */
  async authority(name: string): Promise<void> {
    await run(['openssl', 'req', '-x509', ...EC, '-subj', `/CN=${name}`, '-keyout', this.key(name), '-out', this.pem(name)]);
  }

  async certify(ca: string, name: string): Promise<void> {
    const request = join(this.#dir, `${name}.csr`);
    await run(['openssl', 'req', ...EC, '-subj', `/CN=${name}`, '-keyout', this.key(name), '-out', request]);
    const signed = ['-CA', this.pem(ca), '-CAkey', this.key(ca), '-CAcreateserial', '-extfile', join(this.#dir, 'san'), '-days', '1'];
    await run(['openssl', 'x509', '-req', '-in', request, ...signed, '-out', this.pem(name)]);
  }

  /** Lines of redis.conf: TLS only, and only for those whom `ca` vouches for. */
  redisConfig(ca: string, server: string, port: number): Readonly<Record<string, string | number>> {
    return {
      port: 0,
      'tls-port': port,
      'tls-cert-file': this.pem(server),
      'tls-key-file': this.key(server),
      'tls-ca-cert-file': this.pem(ca),
      'tls-auth-clients': 'yes',
    };
  }
}

/**
 * vnctl in this process, against a real server on a port of its own.
 */
import { pino } from 'pino';
import type { Vnmgr } from '../../../controller/vnmgr.js';
import { startWebServer, type WebServer } from '../../../webapi/rest/server.js';
import { runVnctl } from '../../../webapi/vnctl/cli.js';
import { CliError, EXIT } from '../../../webapi/vnctl/io.js';
import { startTraceWorld, type TraceWorld } from '../../controller/trace/trace-world.js';
import { startController } from '../support.js';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class Bench {
  readonly controller: Vnmgr;
  readonly server: WebServer;
  readonly files: Record<string, string> = {};

  constructor(controller: Vnmgr, server: WebServer) {
    this.controller = controller;
    this.server = server;
  }

  /** @param given a vnmgr of its own unless told. */
  static async start(given?: Vnmgr): Promise<Bench> {
    const controller = given ?? (await startController());
    const server = await startWebServer({
      controller,
      logger: pino({ level: 'silent' }),
      newRequestId: () => 'req',
      listen: { host: '127.0.0.1', port: 0 },
    });
    return new Bench(controller, server);
  }

  /** @param line words separated by blanks; `'…'` keeps blanks. */
  async run(line: string, stdin = ''): Promise<Ran> {
    const argv = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
    let out = '';
    let err = '';
    const io = {
      out: (text: string) => void (out += text),
      err: (text: string) => void (err += text),
      stdin: () => Promise.resolve(stdin),
      readFile: (path: string) => {
        const text = this.files[path];
        return text === undefined ? Promise.reject(new CliError(EXIT.error, [`${path}: there is no such file`])) : Promise.resolve(text);
      },
      colours: false,
      env: { HOTORI_SERVER: `127.0.0.1:${this.server.address.port}` },
    };
    const code = await runVnctl(argv, io, '1.2.3');
    return { code, out, err };
  }

  /** Standard output of a run that must go well. */
  async ok(line: string, stdin = ''): Promise<string> {
    const { code, out, err } = await this.run(line, stdin);
    expect([line, code, err]).toEqual([line, 0, '']);
    return out;
  }
}

/** vnctl and a world to ask about, for all tests of a file; there once they begin. */
export function traceBench(): { asked: TraceWorld; bench: Bench } {
  const parts = {} as { asked: TraceWorld; bench: Bench };
  beforeAll(async () => {
    parts.asked = await startTraceWorld();
    parts.bench = await Bench.start(parts.asked.world.vnmgr);
    parts.asked.one.confirm();
    parts.asked.two.confirm();
  });
  afterAll(async () => {
    await parts.bench.server.stop(0);
    await parts.asked.world.vnmgr.close();
  });
  return parts;
}

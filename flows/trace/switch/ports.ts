/**
 * The ports of a bridge, as `dpif/show` prints them.
 */
export interface ShownPort {
  readonly name: string;
  /** OpenFlow 1.3 port number. */
  readonly number: number;
  /** Number in the datapath; patch ports have none: `none`. */
  readonly datapath: string;
}

export function parsePorts(text: string, bridge: string): ShownPort[] {
  const ports: ShownPort[] = [];
  let within = false;
  for (const line of text.split('\n')) {
    const header = /^ {2}(\S+):$/.exec(line);
    if (header !== null) within = header[1] === bridge;
    const port = /^ {4}(\S+) (\d+)\/(\d+|none):/.exec(line);
    if (within && port !== null) ports.push({ name: port[1]!, number: widen(Number(port[2])), datapath: port[3]! });
  }
  return ports;
}

/** 65534, the local port, to its OpenFlow 1.3 number. */
function widen(port: number): number {
  return port >= 0xff00 ? (port | 0xffff_0000) >>> 0 : port;
}

/**
 * What a vna reports, checked.
 *
 * Promises: nothing that a vna says can put into the store what the store would refuse to read.
 */
import { z } from 'zod';
import { chassisSchema, vifSchema } from '../../flows/model/entities/presence.js';
import { HotoriError } from '../../flows/model/errors.js';
import { formatIp, parseIp } from '../../flows/net/ip.js';
import type { DatapathHello } from '../messages/slice.js';
import type { Observation } from '../transaction/step.js';

const vifsSchema = z.array(vifSchema.pick({ port_name: true, iface_id: true }));
const factsSchema = chassisSchema.pick({ endpoints: true, encaps: true, underlay: true, physical_networks: true });
const NOTHING_SAID = { endpoints: [], encaps: [], underlay: null, physical_networks: [] };

/** Throws HotoriError `invalid_argument`. */
export function observationOf(datapath_uuid: string, hello: Omit<DatapathHello, 'bridge'>): Observation {
  const { dpid, node_id } = hello;
  try {
    const { endpoints, ...facts } = factsSchema.parse(hello.chassis ?? NOTHING_SAID);
    const canonical = endpoints.map((endpoint) => ({ ...endpoint, address: formatIp(parseIp(endpoint.address)) }));
    return {
      verb: 'observe',
      datapath_uuid,
      dpid,
      node_id,
      vifs: vifsSchema.parse(hello.vifs),
      chassis: { endpoints: canonical, ...facts },
    };
  } catch (error) {
    const detail = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new HotoriError('invalid_argument', `what the vna of ${dpid} (${node_id}) says cannot be understood: ${detail}`, {
      cause: error,
    });
  }
}

/**
 * What a fake switch tells about its tables (OF1.3.5 §7.3.5).
 */
import type { Flow } from '../../flows/openflow/flow.js';
import type { FlowStats, MultipartReplyBody, MultipartRequestBody } from '../../flows/openflow/multipart.js';
import type { FakeTables } from './fake-tables.js';

const PORT = { hw_addr: 0, config: 0, state: 0, curr: 0, advertised: 0, supported: 0, peer: 0, curr_speed: 0, max_speed: 0 };

/** The parts of the reply, at least one; undefined for a request it does not know. `partSize` is the number of flows per part. */
export function answerMultipart(
  request: MultipartRequestBody,
  tables: FakeTables,
  partSize: number,
  ports: ReadonlyMap<string, number>,
): MultipartReplyBody[] | undefined {
  switch (request.kind) {
    case 'flow': {
      const found = tables.select(request.table, request.cookie ?? 0n, request.cookie_mask ?? 0n);
      return slices(found, partSize).map((flows) => ({ kind: 'flow', flows: flows.map(toStats) }));
    }
    case 'aggregate': {
      const found = tables.select(request.table, request.cookie ?? 0n, request.cookie_mask ?? 0n);
      return [{ kind: 'aggregate', packet_count: 0n, byte_count: 0n, flow_count: found.length }];
    }
    case 'group_desc':
      return slices([...tables.groups.values()], partSize).map((groups) => ({ kind: 'group_desc', groups }));
    case 'meter_config':
      return slices([...tables.meters.values()], partSize).map((meters) => ({ kind: 'meter_config', meters }));
    case 'desc':
      return [{ kind: 'desc', mfr_desc: 'fake', hw_desc: 'fake', sw_desc: 'fake', serial_num: 'none', dp_desc: 'fake' }];
    case 'port_desc':
      return [{ kind: 'port_desc', ports: [...ports].map(([name, port_no]) => ({ ...PORT, name, port_no })) }];
    default:
      return undefined;
  }
}

function toStats(flow: Flow): FlowStats {
  return {
    ...flow,
    idle_timeout: flow.idle_timeout ?? 0,
    hard_timeout: flow.hard_timeout ?? 0,
    flags: flow.flags ?? 0,
    duration_sec: 0,
    duration_nsec: 0,
    packet_count: 0n,
    byte_count: 0n,
  };
}

function slices<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [[]];
  for (const item of items) {
    if (parts.at(-1)!.length === size) parts.push([]);
    parts.at(-1)!.push(item);
  }
  return parts;
}

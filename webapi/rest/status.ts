/**
 * The state of the whole, waiting for a revision, and what is asked of the vna of a datapath.
 */
import { z } from 'zod';
import type { Controller } from '../../controller/contract.js';
import { datapathStatusSchema } from '../../controller/messages/control-service.js';
import { checkUuid } from './collections.js';
import { flowControls, noControls, statusControls, type FlowControls, type StatusControls } from './controls.js';
import type { Endpoint } from './endpoint.js';
import { resolveRevision } from './revision.js';

const statusSchema = z.object({
  version: z.string(),
  revision: z.int(),
  incarnation: z.string().describe('Changes when the store is restored from a backup: numbers before and after are then not comparable.'),
  datapaths: z.array(datapathStatusSchema),
});

const installedSchema = z.object({
  installed: z.literal(true),
  datapaths: z.array(z.string()).describe('The datapaths that had something to confirm.'),
  revision: z.int(),
});

const flowSchema = z.object({
  table: z.int(),
  table_name: z.string(),
  priority: z.int(),
  text: z.string().describe('As ovs-ofctl writes it.'),
  cookie: z.string(),
  owners: z.array(z.string()).describe('uuids of the entities the flow was made from.'),
  rule: z.string().describe('The rule that made it.'),
  packets: z.number().optional().describe('With owner: what the switch has counted.'),
  bytes: z.number().optional(),
});

export function statusEndpoint(controller: Controller): Endpoint {
  return {
    method: 'GET',
    path: '/status',
    operation_id: 'status',
    summary: 'Show version, revision and datapaths; with wait=installed, wait until datapaths have confirmed a revision',
    tag: 'status',
    controls: statusControls,
    answer: z.union([statusSchema, installedSchema]),
    handle: async ({ controls, signal }) => {
      const { wait, revision: text, timeout } = controls as StatusControls;
      const now = controller.revision();
      const revision = text === undefined ? now.number : resolveRevision(text, now);
      if (wait === 'installed') return { body: { ...(await controller.waitInstalled(revision, timeout * 1000, signal)), revision } };
      const { version, datapaths } = await controller.status();
      return { body: { version, revision: now.number, incarnation: now.incarnation, datapaths } };
    },
  };
}

export function flowsEndpoint(controller: Controller): Endpoint {
  return {
    method: 'GET',
    path: '/datapaths/{uuid}/flows',
    operation_id: 'show_datapath_flows',
    summary: 'List the flows that belong on a datapath, with the entities and rules they come from',
    tag: 'datapaths',
    controls: flowControls,
    answer: z.object({ total_count: z.int(), items: z.array(flowSchema) }),
    handle: async ({ uuid, controls }) => {
      checkUuid('datapath', uuid);
      const items = await controller.flows(uuid, (controls as FlowControls).owner);
      return { body: { total_count: items.length, items } };
    },
  };
}

export function acceptSliceEndpoint(controller: Controller): Endpoint {
  return {
    method: 'POST',
    path: '/datapaths/{uuid}/accept_slice',
    operation_id: 'accept_datapath_slice',
    summary: 'Say that the slice which a datapath holds back, as its last_error says, is right',
    tag: 'datapaths',
    controls: noControls,
    commits: false,
    answer: z.object({ accepted: z.boolean().describe('false: none was held back.') }),
    handle: async ({ uuid }) => {
      checkUuid('datapath', uuid);
      return { body: { accepted: await controller.acceptSlice(uuid) } };
    },
  };
}

/**
 * Counters of security groups and interfaces, asked of the datapaths that know of them.
 */
import { z } from 'zod';
import type { Controller } from '../../controller/contract.js';
import type { FlowEntry } from '../../controller/messages/slice.js';
import { dropStatistics, ruleStatistics } from '../../controller/statistics.js';
import { HotoriError } from '../../flows/model/errors.js';
import { checkUuid, refuseUnknown } from './collections.js';
import { noControls } from './controls.js';
import type { Endpoint } from './endpoint.js';

const silent = z.array(z.string()).describe('Datapaths that did not answer: what they have counted is missing.');
const ruleCounts = z.object({
  uuid: z.string(),
  packets: z.number().describe('Packets the rule has decided, without replies.'),
  bytes: z.number(),
  connections: z.number().describe('First packets of connections it has admitted; 0 for rules without state.'),
});
const dropCounts = z.object({ reason: z.string(), says: z.string(), packets: z.number(), bytes: z.number() });

export function statisticsEndpoints(controller: Controller): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/security_groups/{uuid}/statistics',
      operation_id: 'show_security_group_statistics',
      summary: 'Count what each rule of a security group has decided, since its flows were installed',
      tag: 'security_groups',
      controls: noControls,
      answer: z.object({ uuid: z.string(), rules: z.array(ruleCounts), unavailable: silent }),
      handle: async ({ uuid }) => {
        const found = controller.get('security_group', checkUuid('security_group', uuid)) ?? refuseUnknown('security_group', uuid);
        const rules = (found.view['rules'] as readonly { uuid: string }[]).map((rule) => rule.uuid);
        const { flows, unavailable } = await flowsOf(controller, uuid);
        return { body: { uuid, rules: ruleStatistics(rules, flows), unavailable } };
      },
    },
    {
      method: 'GET',
      path: '/interfaces/{uuid}/statistics',
      operation_id: 'show_interface_statistics',
      summary: 'Count what was dropped at an interface that has security groups or filters, by reason',
      tag: 'interfaces',
      controls: noControls,
      answer: z.object({ uuid: z.string(), drops: z.array(dropCounts), unavailable: silent }),
      handle: async ({ uuid }) => {
        if (controller.get('interface', checkUuid('interface', uuid)) === undefined) refuseUnknown('interface', uuid);
        const { flows, unavailable } = await flowsOf(controller, uuid);
        return { body: { uuid, drops: dropStatistics(flows), unavailable } };
      },
    },
  ];
}

async function flowsOf(controller: Controller, owner: string): Promise<{ flows: FlowEntry[]; unavailable: string[] }> {
  const flows: FlowEntry[] = [];
  const unavailable: string[] = [];
  const datapaths = await controller.audience(owner);
  await Promise.all(
    datapaths.map(async (uuid) => {
      try {
        flows.push(...(await controller.flows(uuid, owner)));
      } catch (error) {
        if (!(error instanceof HotoriError) || error.code !== 'unavailable') throw error;
        unavailable.push(uuid);
      }
    }),
  );
  return { flows, unavailable: unavailable.sort() };
}

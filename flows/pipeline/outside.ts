/**
 * Names for what is outside.
 *
 * Owns: how gateways and their next hops are called within the pipeline.
 */
import { formatIp, type Ip } from '../net/ip.js';
import { shortHash } from './short-hash.js';

export const gatewayUuid = (macLeaseUuid: string) => `gw-${macLeaseUuid}`;
export const physicalSegmentUuid = (segmentKey: number) => `ps-${segmentKey}`;
export const physicalPortUuid = (physicalNetwork: string) => `physical-${physicalNetwork}`;
/** Stands for all of them. */
export const ANY = 'any';
export const holdUuid = (interfaceUuid: string) => `hold-${interfaceUuid}`;
export const neighborUuid = (macLeaseUuid: string, address: string) => `neighbor-${macLeaseUuid}-${address}`;

/** Stands for a next hop outside until the gateway, which knows its MAC. Locally administered; of two in one segment, unlike but for 1 in 2^32. */
export function outsideMac(segmentKey: number, ip: Ip): number {
  return 0x0e48 * 2 ** 32 + shortHash(`${segmentKey}|${formatIp(ip)}`);
}

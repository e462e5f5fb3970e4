/**
 * Cookies: who made a flow.
 *
 * Owns: the layout `[63..56] owner · [55..48] pipeline version · [47..40] table category · [39..0] provenance`.
 * Promises: every flow of ours matches OWNER_COOKIE under OWNER_MASK and no foreign flow should; the provenance part is a hash of who made it,
 * so it does not depend on the order in which things were compiled.
 */
import { PIPELINE_VERSION } from './tables.js';

const OWNER = 0x48n;
export const OWNER_COOKIE = OWNER << 56n;
export const OWNER_MASK = 0xffn << 56n;

/** @param category 0–255, the table number. @param provenance 40 bits. */
export function makeCookie(category: number, provenance: bigint): bigint {
  return OWNER_COOKIE | (BigInt(PIPELINE_VERSION) << 48n) | (BigInt(category) << 40n) | (provenance & 0xff_ffff_ffffn);
}

export function isOurs(cookie: bigint): boolean {
  return (cookie & OWNER_MASK) === OWNER_COOKIE;
}

/**
 * Names made up for entities and MACs that come without.
 */
import { linkMacKey, macKey } from '../../flows/model/indexes.js';
import type { ModelView } from '../../flows/model/view.js';
import { formatMac } from '../../flows/net/mac.js';
import type { Random } from '../kernel/ambient.js';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const TAIL = 8;

/** `prefix-` and 8 random letters and digits, not `taken`. */
export function makeUuid(prefix: string, random: Random, taken: (uuid: string) => boolean): string {
  for (;;) {
    // The bias of the remainder is far below what matters for names.
    const tail = random.bytes(TAIL).map((byte) => ALPHABET.charCodeAt(byte % ALPHABET.length));
    const uuid = `${prefix}-${String.fromCharCode(...tail)}`;
    if (!taken(uuid)) return uuid;
  }
}

/** A random locally administered unicast MAC that no mac_lease and no datapath has. */
export function makeMac(random: Random, view: ModelView): string {
  for (;;) {
    const mac = formatMac([...random.bytes(5)].reduce((value, byte) => value * 256 + byte, 0x02));
    if (view.count(macKey(mac)) === 0 && view.count(linkMacKey(mac)) === 0) return mac;
  }
}

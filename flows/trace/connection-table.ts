/**
 * A conntrack with memory, for sending one packet after another: SYN, SYN-ACK, ACK.
 *
 * Owns: connections keyed by zone and 5-tuple, their mark, label and translation.
 * Assumes: only commits make connections; time does not pass, so nothing expires; TCP windows are not checked.
 * Promises: new until a reply was seen, then established; replies have rpl; an ICMP error about a known connection is related; what cannot be part
 * of a connection is invalid (lib/conntrack.c of Open vSwitch 3.1). Unknown: ICMP errors that do not say what they quote, and later fragments
 * between hosts with more or less than one connection.
 */
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue } from '../openflow/match.js';
import { natRewrite, portField, type Conntrack, type CtAnswer, type CtRequest } from './conntrack.js';
import type { Microflow } from './microflow.js';
import { CT_STATE, ETH_TYPE } from './prerequisite.js';
import { isOpening, isReset, mayBegin, originalFields, reverse, trackingOf, tupleKey, type Tuple } from './tuple.js';

interface Connection {
  readonly zone: number;
  readonly original: Tuple;
  /** As replies have it: reversed, after translation. */
  readonly reply: Tuple;
  readonly nat: 'src' | 'dst' | undefined;
  mark: number;
  label: bigint;
  replied: boolean;
  closed: boolean;
}

/** A connection as told to others. */
export interface ConnectionEntry {
  readonly zone: number;
  readonly original: Tuple;
  readonly mark: number;
  readonly label: bigint;
  readonly replied: boolean;
}

type Fields = Partial<Record<FieldName, FieldValue>>;

const { new: NEW, est: EST, rel: REL, rpl: RPL, inv: INV, trk: TRK, snat: SNAT, dnat: DNAT } = CT_STATE;

export class ConnectionTable implements Conntrack {
  readonly #byTuple = new Map<string, { readonly connection: Connection; readonly isReply: boolean }>();

  /** Every connection, in the order they were made. */
  entries(): ConnectionEntry[] {
    return this.#connections().map(({ zone, original, mark, label, replied }) => ({ zone, original, mark, label, replied }));
  }

  /** Forgets the connections of a zone (NXT_CT_FLUSH_ZONE). */
  flush(zone: number): void {
    for (const connection of this.#connections()) if (connection.zone === zone) this.#drop(connection);
  }

  clone(): ConnectionTable {
    const copy = new ConnectionTable();
    for (const connection of this.#connections()) copy.#add({ ...connection });
    return copy;
  }

  track(request: CtRequest): CtAnswer | undefined {
    const { packet, zone } = request;
    const tracking = trackingOf(packet);
    switch (tracking.kind) {
      case 'untrackable':
        return { state: TRK | INV, mark: 0, label: 0n };
      case 'icmp_error':
        return this.#related(request);
      case 'fragment': {
        const candidates = this.#connections().filter((connection) => connection.zone === zone && betweenSame(connection, packet));
        const only = candidates.length === 1 ? candidates[0]! : undefined;
        return only && this.#seen(request, only, !fromOriginator(only, packet));
      }
      case 'tuple':
        return this.#tracked(request, tracking.tuple);
    }
  }

  #tracked(request: CtRequest, tuple: Tuple): CtAnswer {
    const { packet, zone } = request;
    const found = this.#byTuple.get(tupleKey(zone, tuple));
    const reopened = found !== undefined && found.connection.closed && isOpening(packet);
    // `force` makes the sender of this packet the originator.
    const turned = found?.isReply === true && request.commit && request.force;
    if (found !== undefined && !reopened && !turned) return this.#seen(request, found.connection, found.isReply);
    if (found !== undefined) this.#drop(found.connection);
    if (!mayBegin(packet)) return { state: TRK | INV, mark: 0, label: 0n };
    if (!request.commit) return { state: TRK | NEW, mark: 0, label: 0n, rewrite: originalFields(tuple) };

    const rewrite = request.nat === undefined ? {} : natRewrite(packet, request.nat);
    const connection: Connection = {
      zone,
      original: tuple,
      reply: reverse(translated(tuple, rewrite)),
      nat: Object.keys(rewrite).length > 0 ? request.nat?.direction : undefined,
      mark: 0,
      label: 0n,
      replied: false,
      closed: false,
    };
    this.#add(connection);
    return this.#seen(request, connection, false);
  }

  #seen(request: CtRequest, connection: Connection, isReply: boolean): CtAnswer {
    if (isReply) connection.replied = true;
    if (isReset(request.packet)) connection.closed = true;
    if (request.commit) {
      connection.mark = ((connection.mark & ~request.mark.mask) | (request.mark.value & request.mark.mask)) >>> 0;
      connection.label = (connection.label & ~request.label.mask) | (request.label.value & request.label.mask);
    }
    const state = TRK | (isReply ? EST | RPL : connection.replied ? EST : NEW);
    const nat = request.nat === undefined ? {} : translation(connection, isReply, request.packet);
    return {
      state: state | natState(connection, nat),
      mark: connection.mark,
      label: connection.label,
      rewrite: { ...originalFields(connection.original), ...nat },
    };
  }

  #related(request: CtRequest): CtAnswer | undefined {
    if (request.quoted === undefined) return undefined;
    const tracking = trackingOf(request.quoted);
    const found = tracking.kind === 'tuple' ? this.#byTuple.get(tupleKey(request.zone, tracking.tuple)) : undefined;
    if (found === undefined) return { state: TRK | INV, mark: 0, label: 0n };
    // An error about the originator's packet travels towards the originator.
    const { connection, isReply } = found;
    return {
      state: TRK | REL | (isReply ? 0 : RPL),
      mark: connection.mark,
      label: connection.label,
      rewrite: originalFields(connection.original),
    };
  }

  #connections(): Connection[] {
    return [...this.#byTuple.values()].flatMap(({ connection, isReply }) => (isReply ? [] : [connection]));
  }

  #add(connection: Connection): void {
    this.#byTuple.set(tupleKey(connection.zone, connection.original), { connection, isReply: false });
    this.#byTuple.set(tupleKey(connection.zone, connection.reply), { connection, isReply: true });
  }

  #drop(connection: Connection): void {
    this.#byTuple.delete(tupleKey(connection.zone, connection.original));
    this.#byTuple.delete(tupleKey(connection.zone, connection.reply));
  }
}

function addressesOf(packet: Microflow): readonly [src: number | bigint, dst: number | bigint] {
  return packet.number('eth_type') === ETH_TYPE.ipv4
    ? [packet.get('ip_src'), packet.get('ip_dst')]
    : [packet.get('ipv6_src'), packet.get('ipv6_dst')];
}

function fromOriginator({ original }: Connection, packet: Microflow): boolean {
  const [src, dst] = addressesOf(packet);
  return original.src === src && original.dst === dst;
}

function betweenSame(connection: Connection, packet: Microflow): boolean {
  const { original, reply } = connection;
  const [src, dst] = addressesOf(packet);
  if (original.eth_type !== packet.number('eth_type') || original.proto !== packet.number('nw_proto')) return false;
  return fromOriginator(connection, packet) || (reply.src === src && reply.dst === dst);
}

/** A tuple after writing what NAT writes. */
function translated(tuple: Tuple, rewrite: Fields): Tuple {
  const value = (names: readonly FieldName[]) => names.map((name) => rewrite[name]).find((found) => found !== undefined);
  return {
    ...tuple,
    src: (value(['ip_src', 'ipv6_src']) ?? tuple.src) as number | bigint,
    dst: (value(['ip_dst', 'ipv6_dst']) ?? tuple.dst) as number | bigint,
    sport: (value(['tcp_src', 'udp_src', 'sctp_src']) ?? tuple.sport) as number,
    dport: (value(['tcp_dst', 'udp_dst', 'sctp_dst']) ?? tuple.dport) as number,
  };
}

/** What NAT writes into a packet of a translated connection. */
function translation({ original, reply, nat }: Connection, isReply: boolean, packet: Microflow): Fields {
  if (nat === undefined) return {};
  // A reply gets the originator's view back: the other end of the tuple that was translated.
  const to = isReply ? reverse(original) : reverse(reply);
  const side = (nat === 'src') === isReply ? 'dst' : 'src';
  const v4 = original.eth_type === ETH_TYPE.ipv4;
  const port = portField(packet, side);
  const fields: Fields = { [v4 ? `ip_${side}` : `ipv6_${side}`]: side === 'src' ? to.src : to.dst };
  return port === undefined ? fields : { ...fields, [port]: side === 'src' ? to.sport : to.dport };
}

function natState({ nat }: Connection, written: Fields): number {
  if (nat === undefined || Object.keys(written).length === 0) return 0;
  return nat === 'src' ? SNAT : DNAT;
}

/**
 * Actions and instructions as values: OpenFlow 1.3.5 §7.2.4–7.2.5 and the Nicira extensions of Open vSwitch.
 *
 * Owns: the unions `Action` and `Instruction`. Names follow ovs-actions(7); fields are snake_case as on the wire.
 * Assumes: nothing beyond match.ts.
 * Promises: plain immutable data; every union is discriminated by `kind`, so a `switch` over it is checked for completeness.
 */
import type { FieldName } from './fields.js';
import type { FieldValue, OpaqueOxm, Subfield } from './match.js';

/**
 * Writes `value` (under `mask`, if given) into a field. With a mask it is NXAST_REG_LOAD or REG_LOAD2 on an OpenFlow 1.3 wire.
 * `form` says that it came (and goes) as one of those although OFPAT_SET_FIELD would do; it changes the bytes, not the meaning.
 */
export interface SetFieldAction {
  readonly kind: 'set_field';
  readonly field: FieldName;
  readonly value: FieldValue;
  readonly mask?: FieldValue | undefined;
  readonly form?: 'reg_load' | 'reg_load2' | undefined;
}

/** Address and port ranges of a NAT; all absent with `direction` absent means "apply the connection's NAT". */
export interface NatAction {
  readonly kind: 'nat';
  readonly direction?: 'src' | 'dst' | undefined;
  readonly persistent?: boolean | undefined;
  readonly hash?: boolean | undefined;
  readonly random?: boolean | undefined;
  readonly ipv4_min?: number | undefined;
  readonly ipv4_max?: number | undefined;
  readonly ipv6_min?: bigint | undefined;
  readonly ipv6_max?: bigint | undefined;
  readonly port_min?: number | undefined;
  readonly port_max?: number | undefined;
}

/** Sends the packet through conntrack. `zone` is a number or read from a 16-bit subfield; `table` recirculates; `exec` holds writes to ct_mark/ct_label and `nat`. */
export interface CtAction {
  readonly kind: 'ct';
  readonly commit?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly zone: number | Subfield;
  readonly table?: number | undefined;
  /** Port number of the helper: 21 (ftp) or 69 (tftp); absent for none. */
  readonly alg?: number | undefined;
  readonly exec?: readonly Action[] | undefined;
}

/** Punt with the Nicira extensions: NXAST_CONTROLLER2 if it has userdata (even empty), pause or a meter, else NXAST_CONTROLLER. */
export interface ControllerAction {
  readonly kind: 'controller';
  readonly max_len?: number | undefined;
  readonly controller_id?: number | undefined;
  readonly reason?: 'no_match' | 'action' | 'invalid_ttl' | 'action_set' | 'group' | 'packet_out' | number | undefined;
  readonly userdata?: Uint8Array | undefined;
  readonly pause?: boolean | undefined;
  readonly meter_id?: number | undefined;
}

export type LearnSpec =
  | { readonly kind: 'match'; readonly src: Subfield | bigint; readonly dst: Subfield }
  | { readonly kind: 'load'; readonly src: Subfield | bigint; readonly dst: Subfield }
  | { readonly kind: 'output'; readonly src: Subfield };

export type Action =
  | { readonly kind: 'output'; readonly port: number; readonly max_len?: number | undefined }
  | { readonly kind: 'group'; readonly group_id: number }
  | { readonly kind: 'set_queue'; readonly queue_id: number }
  | { readonly kind: 'push_vlan' | 'push_mpls' | 'pop_mpls' | 'push_pbb'; readonly ethertype: number }
  | { readonly kind: 'pop_vlan' | 'pop_pbb' | 'dec_ttl' | 'dec_mpls_ttl' | 'copy_ttl_in' | 'copy_ttl_out' }
  | { readonly kind: 'set_nw_ttl' | 'set_mpls_ttl'; readonly ttl: number }
  /** NXAST_SET_TUNNEL, or NXAST_SET_TUNNEL64 if `wide`: the old form of set_field tun_id. */
  | { readonly kind: 'set_tunnel'; readonly tun_id: bigint; readonly wide: boolean }
  | SetFieldAction
  | { readonly kind: 'move'; readonly src: Subfield; readonly dst: Subfield }
  | {
      readonly kind: 'resubmit';
      readonly in_port?: number | undefined;
      readonly table?: number | undefined;
      readonly ct?: boolean | undefined;
    }
  | CtAction
  | NatAction
  | { readonly kind: 'ct_clear' | 'exit' | 'pop_queue' | 'dec_nsh_ttl' }
  /** NXAST_CONJUNCTION. `clause` counts from 0 as on the wire: conjunction(id, 1/2) is clause 0 of n_clauses 2. */
  | { readonly kind: 'conjunction'; readonly clause: number; readonly n_clauses: number; readonly id: number }
  | { readonly kind: 'clone'; readonly actions: readonly Action[] }
  | { readonly kind: 'note'; readonly data: Uint8Array }
  | ControllerAction
  | { readonly kind: 'dec_ttl_cnt_ids'; readonly ids: readonly number[] }
  | { readonly kind: 'check_pkt_larger'; readonly length: number; readonly dst: Subfield }
  | { readonly kind: 'delete_field'; readonly field: FieldName }
  | { readonly kind: 'stack_push' | 'stack_pop'; readonly subfield: Subfield }
  | { readonly kind: 'output_reg'; readonly src: Subfield; readonly max_len: number }
  | { readonly kind: 'output_trunc'; readonly port: number; readonly max_len: number }
  | {
      readonly kind: 'learn';
      readonly idle_timeout: number;
      readonly hard_timeout: number;
      readonly priority: number;
      readonly cookie: bigint;
      readonly flags: number;
      readonly table: number;
      readonly fin_idle_timeout: number;
      readonly fin_hard_timeout: number;
      readonly limit?: number | undefined;
      readonly result_dst?: Subfield | undefined;
      readonly specs: readonly LearnSpec[];
    }
  | {
      readonly kind: 'multipath';
      readonly fields: number;
      readonly basis: number;
      readonly algorithm: number;
      readonly max_link: number;
      readonly arg: number;
      readonly dst: Subfield;
    }
  | {
      readonly kind: 'bundle';
      readonly algorithm: number;
      readonly fields: number;
      readonly basis: number;
      readonly ports: readonly number[];
      readonly dst?: Subfield | undefined;
    }
  | {
      readonly kind: 'sample';
      readonly probability: number;
      readonly collector_set_id: number;
      readonly obs_domain_id: number;
      readonly obs_point_id: number;
      readonly sampling_port?: number | undefined;
      readonly direction?: 'ingress' | 'egress' | undefined;
    }
  | { readonly kind: 'fin_timeout'; readonly fin_idle_timeout: number; readonly fin_hard_timeout: number }
  /** NXAST_ENCAP, NXAST_DECAP: `packet_type` is namespace << 16 | type. */
  | { readonly kind: 'encap'; readonly header_size: number; readonly packet_type: number; readonly properties: Uint8Array }
  | { readonly kind: 'decap'; readonly packet_type: number }
  /** `data` follows the experimenter id. Also known Nicira actions with contents that have no name here. */
  | { readonly kind: 'experimenter'; readonly experimenter: number; readonly data: Uint8Array }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array }
  | { readonly kind: 'set_field_unknown'; readonly oxm: OpaqueOxm };

export type Instruction =
  | { readonly kind: 'goto_table'; readonly table: number }
  | { readonly kind: 'write_metadata'; readonly metadata: bigint; readonly mask: bigint }
  | { readonly kind: 'write_actions' | 'apply_actions'; readonly actions: readonly Action[] }
  | { readonly kind: 'clear_actions' }
  | { readonly kind: 'meter'; readonly meter_id: number }
  | { readonly kind: 'experimenter'; readonly experimenter: number; readonly data: Uint8Array }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

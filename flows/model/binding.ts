/**
 * Where an interface is plugged.
 *
 * Owns: the record vnmgr makes when a vna reports a NIC that is an interface's (`iface-id` equal to its uuid, or its `port_name`).
 * Assumes: it is run-time knowledge: carried in slices, never stored with the model.
 */
export interface Binding {
  readonly kind: 'binding';
  /** `bind-<interface uuid>`: an interface is bound in one place at a time. */
  readonly uuid: string;
  readonly interface_uuid: string;
  readonly datapath_uuid: string;
  readonly port_name: string;
}

/**
 * Hypervisors that packets between VMs cannot tell apart.
 *
 * Owns: what stands for the hypervisor of an interface where a verdict is concerned: what it reports of itself, its addresses left out.
 * Assumes: a packet is short enough for every way between hypervisors. Which hypervisor translates, or is a gateway, decides nothing but how a packet gets
 * there.
 * Promises: of two kinds, either all pairs reach one another or none does; likewise within one. A hypervisor of which something is said beyond what it reports
 * (a tunnel, rows of the explicit mode), and one that could not reach another of its kind, is a kind of its own.
 */
import { chassisUuid, type Chassis } from '../../model/entities/presence.js';
import { referrerKey } from '../../model/references.js';
import { entityOf, LINK_KINDS, type ModelView } from '../../model/view.js';
import { familyOf, pairingOf } from '../../pipeline/pairing.js';

export class Places {
  private readonly model: ModelView;
  private readonly known = new Map<string, string>();

  /** Of a model as it is: it may not change while this is in use. */
  constructor(model: ModelView) {
    this.model = model;
  }

  /** Equal for two hypervisors of one kind. */
  of(datapathUuid: string): string {
    let kind = this.known.get(datapathUuid);
    if (kind === undefined) this.known.set(datapathUuid, (kind = this.kindOf(datapathUuid)));
    return kind;
  }

  private kindOf(uuid: string): string {
    const chassis = entityOf(this.model, 'chassis', chassisUuid(uuid));
    if (chassis === undefined || chassis.underlay !== null) return uuid;
    if ([...LINK_KINDS, 'tunnel' as const].some((kind) => this.model.count(referrerKey(kind, uuid)) > 0)) return uuid;
    return typeof pairingOf(chassis, { ...chassis, datapath_uuid: '' }) === 'string' ? uuid : reportOf(chassis);
  }
}

function reportOf({ encaps, endpoints }: Chassis): string {
  const ends = endpoints.map((end) => [familyOf(end), end.underlay, end.mac !== null, end.mtu]);
  return JSON.stringify([encaps, ends]);
}

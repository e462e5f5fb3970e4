/**
 * OpenVNet's rows of a translation, below the translation.
 */
import { translationStaticSchema } from '../../flows/model/entities/nat.js';
import { translationStaticFrom, translationStaticInput, type TranslationStaticInput } from '../../flows/model/nat-inputs.js';
import type { OwnedRows } from './owned-rows.js';

export const TRANSLATION_STATICS: OwnedRows = {
  kind: 'translation',
  path: 'static_address',
  name: 'static_address',
  list: 'static_addresses',
  stored: translationStaticSchema,
  added: translationStaticInput,
  named: translationStaticInput,
  row: (params) => translationStaticFrom(params as TranslationStaticInput),
  keyOf: ({ route_link_uuid, ingress_ipv4_address, egress_ipv4_address, ingress_port_number, egress_port_number }) =>
    JSON.stringify([route_link_uuid, ingress_ipv4_address, egress_ipv4_address, ingress_port_number, egress_port_number]),
};

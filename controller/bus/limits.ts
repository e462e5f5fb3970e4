/**
 * What fits on the bus.
 */
import { BusError, MAX_PAYLOAD } from './contract.js';

/** Largest value of a table, bytes. */
const MAX_VALUE = 1024 * 1024;

/** Throws BusError `too_large`. */
export function checkPayload(payload: Uint8Array): void {
  if (payload.length > MAX_PAYLOAD)
    throw new BusError('too_large', `${payload.length} bytes are more than the ${MAX_PAYLOAD} of a message`);
}

/** Throws BusError `too_large`. */
export function checkValue(value: Uint8Array): void {
  if (value.length > MAX_VALUE) throw new BusError('too_large', `${value.length} bytes are more than the ${MAX_VALUE} of a table's value`);
}

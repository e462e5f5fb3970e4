/**
 * Router advertisements nobody asked for.
 *
 * Owns: when local ports are told of their routers again, so that no host forgets its default route however long it stays up.
 * Assumes: solicited advertisements are answered elsewhere, from the same slice.
 * Promises: every port is told once in a period, a few ports at a time; a port that cannot be reached now is told the next time.
 */
import type { LocalPort } from '../../flows/compile/contract.js';
import type { Advertisement } from '../respond/contract.js';
import { ALL_NODES, routerAdvertFrame } from '../respond/router-advertiser.js';
import type { Clock } from './clock.js';
import { isAborted } from './unless-aborted.js';

export interface AdvertisingOptions {
  readonly ports: () => Iterable<LocalPort>;
  readonly advertisements: (interfaceUuid: string) => readonly Advertisement[];
  /** Sends a frame out of a port; dropped when there is no connection. */
  readonly send: (frame: Uint8Array, ofport: number) => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** MaxRtrAdvInterval of RFC 4861 §6.2.1; what is advertised lasts a hundred times as long. */
const PERIOD_MS = 600_000;
const PER_TURN = 16;
const TURN_MS = 10;

/** Resolves when the signal is aborted. */
export async function advertise({ ports, advertisements, send, clock, random }: AdvertisingOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(PERIOD_MS * (0.75 + random() / 4), signal);
    let told = 0;
    for (const { interface_uuid, ofport } of [...ports()]) {
      if (isAborted(signal)) return;
      for (const advertisement of advertisements(interface_uuid)) send(routerAdvertFrame(advertisement, ALL_NODES), ofport);
      if (++told % PER_TURN === 0) await clock.sleep(TURN_MS, signal);
    }
  }
}

/**
 * What errors of Redis mean to users of the store.
 */
import type { RedisError } from '../redis/errors.js';
import { StoreError } from './contract.js';

/** States a server leaves by itself, or with an operator's help. */
const PASSING = ['BUSY', 'OOM', 'MISCONF', 'NOREPLICAS', 'MAXCLIENTS'];

export function worthAnotherTry({ reply }: RedisError): boolean {
  return reply !== undefined && PASSING.includes(reply);
}

/** @param what precedes the reason, such as `cannot load the store in …` */
export function storeErrorOf(error: RedisError, what: string): StoreError {
  return new StoreError(error.code === 'unavailable' ? 'unavailable' : 'failed', `${what}: ${error.message}`, error);
}

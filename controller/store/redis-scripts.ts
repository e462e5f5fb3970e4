/**
 * The scripts that run inside Redis: what has to be one step there.
 *
 * Owns: the layout of the store's keys.
 *   meta      hash: schema, incarnation, revision, commit (id of the last change), replid, floor (the log starts after it), log_bytes,
 *             epoch (how many incarnations there were)
 *   counters  hash: kind of key → highest handed out
 *   entities  hash: uuid → CBOR
 *   log       stream: `<revision>-0` → change (CBOR), id (of this change), previous (id of the one before)
 *   leases    hash: name → token of who got it last; lease:<name>, the token, for as long as it is held
 *
 * A server changes its replication id whenever it starts or is promoted, that is, whenever its data may be older than what others have
 * seen. Where the id is not the one in `meta`, nothing is read or written before the incarnation is a new one.
 *
 * Assumes: Redis 7, for the first line of each script: Redis then checks before it starts whether writing is possible at all (memory, disk, role).
 */

/** Names of the keys, in the order the scripts take them. */
export const STORE_KEYS = ['meta', 'counters', 'entities', 'log', 'leases'] as const;

const REPLICATION = `
local replication = redis.call('INFO', 'replication')
if string.find(replication, 'role:slave', 1, true) then return {'replica'} end
local replid = string.match(replication, 'master_replid:(%w+)')
`;

/**
 * Where the store is. ARGV: incarnation, revision and id of the change the caller is at. One who does not know the id ('') has not
 * seen the change, and is no witness that there was one.
 * Answers [state, schema, incarnation, revision, commit, floor, counters, epoch]; state `new` and `headless` come without the rest, as does `replica`.
 */
export const HEAD = `#!lua flags=no-writes
${REPLICATION}
local meta = redis.call('HMGET', KEYS[1], 'schema', 'incarnation', 'revision', 'commit', 'replid', 'floor', 'epoch')
if not meta[3] then
  if redis.call('EXISTS', unpack(KEYS, 1, 4)) > 0 then return {'headless'} end
  return {'new'}
end
local state = 'ok'
if meta[5] ~= replid then state = 'restarted'
elseif ARGV[1] == meta[2] then
  local at, revision = tonumber(ARGV[2]), tonumber(meta[3])
  if ARGV[3] ~= '' and (at > revision or (at == revision and ARGV[3] ~= meta[4])) then state = 'regressed' end
end
return {state, meta[1], meta[2], meta[3], meta[4], meta[6], redis.call('HGETALL', KEYS[2]), meta[7] or '0'}
`;

/** Begins a new incarnation, or the store. ARGV: the incarnation that ends ('' for none), the new one, schema. */
export const RENEW = `#!lua flags=allow-oom
${REPLICATION}
local incarnation = redis.call('HGET', KEYS[1], 'incarnation')
if ARGV[1] == '' and not incarnation then
  redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'incarnation', ARGV[2], 'revision', 0, 'commit', '', 'replid', replid, 'floor', 0, 'log_bytes', 0, 'epoch', 1)
elseif ARGV[1] ~= '' and incarnation == ARGV[1] then
  redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'replid', replid)
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
end
return {'ok'}
`;

/**
 * Compare and set. ARGV: expected incarnation, revision and id of its change (as HEAD); id of this commit; '1' when it is tried again;
 * schema; how many revisions and bytes the log keeps; '1' when a replica has to be there; lease name and token, or ''; number of changes, puts,
 * deletes and counters; the schema afterwards; then the changes, the puts (uuid, value), the deletes, the counters (name, value).
 * Answers [`ok`, floor], [`conflict`, incarnation, revision], or one of `restarted`, `regressed`, `replica`, `forgotten`, `schema`, `fenced`, `alone`.
 */
export const COMMIT = `#!lua
${REPLICATION}
local expected = tonumber(ARGV[2])
local changes, puts, deletes, counters = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local meta = redis.call('HMGET', KEYS[1], 'incarnation', 'revision', 'commit', 'replid', 'floor', 'log_bytes', 'schema')
local revision, floor, bytes = tonumber(meta[2] or 0), tonumber(meta[5] or 0), tonumber(meta[6] or 0)
local function id(number) return string.format('%.0f-0', number) end
local function field(entry, name)
  for i = 1, #entry[2], 2 do if entry[2][i] == name then return entry[2][i + 1] end end
end

if ARGV[5] == '1' and revision > expected then
  local first = redis.call('XRANGE', KEYS[4], id(expected + 1), id(expected + 1))[1]
  if first and field(first, 'id') == ARGV[4] .. ':1' then return {'ok', string.format('%.0f', floor)} end
  if not first then return {'forgotten'} end
end
if meta[1] and meta[7] ~= ARGV[6] then return {'schema'} end
if meta[1] and meta[4] ~= replid then return {'restarted'} end
if meta[1] == ARGV[1] and ARGV[3] ~= '' and (expected > revision or (expected == revision and ARGV[3] ~= meta[3])) then return {'regressed'} end
if meta[1] ~= ARGV[1] or revision ~= expected then return {'conflict', meta[1] or '', string.format('%.0f', revision)} end
if ARGV[10] ~= '' and redis.call('HGET', KEYS[5], ARGV[10]) ~= ARGV[11] then return {'fenced'} end
if ARGV[9] == '1' then
  local attached = false
  -- Two clocks are behind the lag: it is -1 now and then.
  for state, lag in string.gmatch(replication, 'state=(%w+),offset=%d+,lag=(%-?%d+)') do
    if state == 'online' and tonumber(lag) <= 10 then attached = true end
  end
  if not attached then return {'alone'} end
end
-- Whatever is of a wrong type fails before anything is written.
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])

local next = 16
local previous = meta[3]
for i = 1, changes do
  local own = ARGV[4] .. ':' .. i
  redis.call('XADD', KEYS[4], id(expected + i), 'id', own, 'previous', previous, 'change', ARGV[next + i])
  previous = own
  bytes = bytes + #ARGV[next + i]
end
next = next + changes
local function inGroups(command, key, count)
  local first = next + 1
  while first <= next + count do
    local last = math.min(first + 1999, next + count)
    redis.call(command, key, unpack(ARGV, first, last))
    first = last + 1
  end
  next = next + count
end
inGroups('HSET', KEYS[3], 2 * puts)
inGroups('HDEL', KEYS[3], deletes)
inGroups('HSET', KEYS[2], 2 * counters)

revision = expected + changes
local kept = floor
while revision - floor > tonumber(ARGV[7]) or (bytes > tonumber(ARGV[8]) and floor < revision - 1) do
  floor = floor + 1
  local oldest = redis.call('XRANGE', KEYS[4], id(floor), id(floor))[1]
  if oldest then bytes = bytes - #field(oldest, 'change') end
end
if floor > kept then redis.call('XTRIM', KEYS[4], 'MINID', id(floor + 1)) end
redis.call('HSET', KEYS[1], 'schema', ARGV[16], 'revision', string.format('%.0f', revision), 'commit', previous, 'floor', string.format('%.0f', floor), 'log_bytes', string.format('%.0f', bytes))
return {'ok', string.format('%.0f', floor)}
`;

/** Gives a lease. KEYS: lease:<name>, leases. ARGV: name, token, ms. Answers nil, or how long in ms it is somebody else's. */
export const TAKE_LEASE = `#!lua
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[2] then return redis.call('PTTL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return false
`;

/** Keeps a lease, unless somebody else has got it. Answers 1 when it is kept. KEYS and ARGV as TAKE_LEASE. */
export const KEEP_LEASE = `#!lua
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`;

/** KEYS as TAKE_LEASE. ARGV: name, token. */
export const DROP_LEASE = `#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[2] then redis.call('DEL', KEYS[1]) end
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
return 1
`;

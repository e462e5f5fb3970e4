/**
 * What Redis does for the bus in one step.
 *
 * Assumes: Redis 7. Times are Redis' own, milliseconds since 1970, so that the clocks of the members do not matter.
 */
import { script } from './redis-line.js';

const NOW = `local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/** Adds to the log of a table. Ids are dense, so that a watcher sees what was trimmed; keys that nobody touches for an hour go. */
const LOG = `
local function last(key)
  local entry = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  return entry[1] and tonumber(string.match(entry[1][1], '%d+')) or 0
end
local function log(key, ...)
  redis.call('XADD', key, 'MAXLEN', '~', 1000, (last(key) + 1) .. '-0', ...)
end
local function keep(from, to)
  for index = from, to do redis.call('PEXPIRE', KEYS[index], 3600000) end
end`;

export const SCRIPTS = {
  /** KEYS inbox, table of servers: ends. ARGV member ('' for an answer), most entries, fields… → 1, or 0 when there is nobody, -1 when it is full. */
  send: script(`${NOW}
      if ARGV[1] ~= '' then
        local ends = redis.call('ZSCORE', KEYS[2], ARGV[1])
        if not ends or tonumber(ends) <= now then return 0 end
      end
      if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
      if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then return -1 end
      redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
      return 1`),
  /** KEYS values, ends, log. ARGV key, value, ttl, whether the keys are to be kept. The log tells of it only when the value differs. */
  put: script(`${NOW} ${LOG}
      local same = redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2]
      redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
      if not same then
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        log(KEYS[3], 'k', ARGV[1], 'v', ARGV[2])
      end
      if not same or ARGV[4] == '1' then keep(1, 3) end
      return 1`),
  /**
   * KEYS values, ends, log of one subject after another. ARGV member, ttl, whether the keys are to be kept. The same as to put an empty value into
   * each, but writes as little as it can: members do it every second.
   */
  serve: script(`${NOW} ${LOG}
      for index = 1, #KEYS, 3 do
        local known = redis.call('HGET', KEYS[index], ARGV[1])
        redis.call('ZADD', KEYS[index + 1], now + ARGV[2], ARGV[1])
        if not known then
          redis.call('HSET', KEYS[index], ARGV[1], '')
          log(KEYS[index + 2], 'k', ARGV[1], 'v', '')
        end
        if not known or ARGV[3] == '1' then keep(index, index + 2) end
      end
      return 1`),
  /** KEYS values, ends, log. ARGV key. */
  remove: script(`${LOG}
      redis.call('ZREM', KEYS[2], ARGV[1])
      if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then log(KEYS[3], 'k', ARGV[1]) end
      return 1`),
  /**
   * KEYS values, ends, log. Removes what is over. → number of the last change; how many values are over that the caller may not remove.
   */
  sweep: script(`${NOW} ${LOG}
      local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)
      for _, key in ipairs(over) do
        local removed = redis.pcall('HDEL', KEYS[1], key)
        if type(removed) == 'table' then return {last(KEYS[3]), #over} end
        redis.call('ZREM', KEYS[2], key)
        log(KEYS[3], 'k', key)
      end
      return {last(KEYS[3]), 0}`),
  /** KEYS values, ends, log. → number of the last change, key, value, key, value… of what is not over. */
  list: script(`${NOW} ${LOG}
      local answer = {last(KEYS[3])}
      local keys = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')
      for _, key in ipairs(keys) do
        local value = redis.call('HGET', KEYS[1], key)
        if value then answer[#answer + 1] = key; answer[#answer + 1] = value end
      end
      return answer`),
  /**
   * KEYS topic. ARGV entries kept, life in ms, then position, part, parts, payload of each. What is there already is left out, so that the same
   * call may come again.
   */
  append: script(`
      for index = 3, #ARGV, 4 do
        local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], ARGV[index] .. '-' .. ARGV[index + 1], 'n', ARGV[index + 2], 'p', ARGV[index + 3])
        if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller') then return added end
      end
      redis.call('PEXPIRE', KEYS[1], ARGV[2])
      return 1`),
} as const;

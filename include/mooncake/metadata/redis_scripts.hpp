#pragma once

#include <string_view>

/// What `RedisMetadata` has the server do, each at once and whole. ARGV[1] is the prefix of all that is kept:
///
/// | key | what |
/// |---|---|
/// | `<prefix>doc:<key>` | hash of a document: `v` value, `n` version, `l` its lease |
/// | `<prefix>keys` | sorted set of the keys, for lists by prefix |
/// | `<prefix>version` | the newest version |
/// | `<prefix>changes` | sorted set: each key at the version of its latest change, removals too |
/// | `<prefix>removed` | sorted set: the keys that were removed, at that version; the latest 1,024 |
/// | `<prefix>forgotten` | the version of the newest removal that is remembered no more |
/// | `<prefix>lease-ends` | sorted set of leases, by when they end, in ms of the server's clock; `<prefix>ttls`: hash of what each was granted for; `<prefix>held:<id>`: its keys |
///
/// Each change is published on the channel `<prefix>changed`. Whatever runs first puts away the documents of leases that ended.
namespace mooncake::metadata::detail::redis_scripts {

inline constexpr std::string_view common = R"lua(
local p = ARGV[1]
local call = redis.call
local function changed(key)
  local n = call('INCR', p .. 'version')
  call('ZADD', p .. 'changes', n, key)
  call('PUBLISH', p .. 'changed', n)
  return n
end
local function let_go(key)
  local lease = call('HGET', p .. 'doc:' .. key, 'l')
  if lease and lease ~= '' then call('SREM', p .. 'held:' .. lease, key) end
end
local function remove(key)
  let_go(key)
  call('DEL', p .. 'doc:' .. key)
  call('ZREM', p .. 'keys', key)
  call('ZADD', p .. 'removed', changed(key), key)
  if call('ZCARD', p .. 'removed') > 1024 then
    local oldest = call('ZPOPMIN', p .. 'removed')
    call('ZREM', p .. 'changes', oldest[1])
    call('SET', p .. 'forgotten', oldest[2])
  end
end
local function store(key, value, lease)
  let_go(key)
  local n = changed(key)
  call('ZREM', p .. 'removed', key)
  call('HSET', p .. 'doc:' .. key, 'v', value, 'n', n, 'l', lease)
  call('ZADD', p .. 'keys', 0, key)
  if lease ~= '' then call('SADD', p .. 'held:' .. lease, key) end
  return n
end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(call('ZRANGEBYSCORE', p .. 'lease-ends', '-inf', now)) do
  for _, key in ipairs(call('SMEMBERS', p .. 'held:' .. id)) do remove(key) end
  call('DEL', p .. 'held:' .. id)
  call('ZREM', p .. 'lease-ends', id)
  call('HDEL', p .. 'ttls', id)
end
)lua";

/// key, value, version (empty: whatever there is), lease (empty: none) → the version, or `conflict`, or `lease`: it is over
inline constexpr std::string_view put = R"lua(
if ARGV[4] ~= '' and (call('HGET', p .. 'doc:' .. ARGV[2], 'n') or '0') ~= ARGV[4] then return 'conflict' end
if ARGV[5] ~= '' and call('HEXISTS', p .. 'ttls', ARGV[5]) == 0 then return 'lease' end
return store(ARGV[2], ARGV[3], ARGV[5])
)lua";

/// key → value, version; or nothing
inline constexpr std::string_view get = R"lua(
local found = call('HMGET', p .. 'doc:' .. ARGV[2], 'v', 'n')
if not found[1] then return false end
return found
)lua";

/// key, version (empty: whatever there is) → 1, or `conflict`
inline constexpr std::string_view remove = R"lua(
if ARGV[3] ~= '' and (call('HGET', p .. 'doc:' .. ARGV[2], 'n') or '0') ~= ARGV[3] then return 'conflict' end
if call('EXISTS', p .. 'doc:' .. ARGV[2]) == 1 then remove(ARGV[2]) end
return 1
)lua";

/// the range of keys, as ZRANGEBYLEX has it → key, value, version, key, …
inline constexpr std::string_view list = R"lua(
local all = {}
for _, key in ipairs(call('ZRANGEBYLEX', p .. 'keys', ARGV[2], ARGV[3])) do
  local found = call('HMGET', p .. 'doc:' .. key, 'v', 'n')
  all[#all + 1] = key
  all[#all + 1] = found[1]
  all[#all + 1] = found[2]
end
return all
)lua";

/// prefix, version → ms until a lease may end (-1: never), then key, value (nothing: removed), version, key, …; or `forgotten`
inline constexpr std::string_view changes = R"lua(
local forgotten = call('GET', p .. 'forgotten')
if forgotten and tonumber(ARGV[3]) < tonumber(forgotten) then return {'forgotten'} end
local soonest = call('ZRANGE', p .. 'lease-ends', 0, 0, 'WITHSCORES')[2]
local all = {soonest and math.max(0, soonest - now) or -1}
local changed_keys = call('ZRANGEBYSCORE', p .. 'changes', '(' .. ARGV[3], '+inf', 'WITHSCORES')
for i = 1, #changed_keys, 2 do
  local key = changed_keys[i]
  if string.sub(key, 1, #ARGV[2]) == ARGV[2] then
    all[#all + 1] = key
    all[#all + 1] = call('HGET', p .. 'doc:' .. key, 'v')
    all[#all + 1] = changed_keys[i + 1]
  end
end
return all
)lua";

/// ms → the lease's number
inline constexpr std::string_view grant = R"lua(
local id = call('INCR', p .. 'last_lease')
call('HSET', p .. 'ttls', id, ARGV[2])
call('ZADD', p .. 'lease-ends', now + ARGV[2], id)
return id
)lua";

/// lease → 1, or 0: it is over
inline constexpr std::string_view keep_alive = R"lua(
local ttl = call('HGET', p .. 'ttls', ARGV[2])
if not ttl then return 0 end
call('ZADD', p .. 'lease-ends', now + ttl, ARGV[2])
return 1
)lua";

} // namespace mooncake::metadata::detail::redis_scripts

-- A node ends. Where it leaves sockets behind whose rules nobody has run, it counts as lost.
-- KEYS: the nodes, its sockets. ARGV: id, time to keep the dead in ms.
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 0
end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2])
local told = string.match(value, '^%a %d+ (.*)$') or '{}'
redis.call('HSET', KEYS[1], ARGV[1], string.format('l %d %s', ends, told))
return 1

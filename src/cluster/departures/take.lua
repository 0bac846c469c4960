-- Takes some of the sockets that a lost node left behind: nobody else gets these.
-- KEYS: the nodes, its sockets. ARGV: id, how many.
local node = redis.call('HGET', KEYS[1], ARGV[1])
if not node or string.sub(node, 1, 1) ~= 'l' then return {} end
local found = redis.call('HSCAN', KEYS[2], '0', 'COUNT', ARGV[2])[2]
local taken = {}
for i = 1, #found, 2 do
  redis.call('HDEL', KEYS[2], found[i])
  taken[#taken + 1] = found[i + 1]
end
-- A scan may find nothing at one place and more at another.
if #taken == 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  found = redis.call('HGETALL', KEYS[2])
  redis.call('DEL', KEYS[2])
  for i = 2, #found, 2 do taken[#taken + 1] = found[i] end
end
return taken

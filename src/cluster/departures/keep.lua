-- Writes down what is to be known of a node's sockets, while the node is not declared lost.
-- KEYS: the nodes, its sockets. ARGV: id, time to keep them in ms, whether what is there goes first, how many
-- fields go, these, then fields and values.
local node = redis.call('HGET', KEYS[1], ARGV[1])
if not node or string.sub(node, 1, 1) ~= 'a' then return 0 end
if ARGV[3] == '1' then redis.call('DEL', KEYS[2]) end
local gone = tonumber(ARGV[4])
for i = 5, 4 + gone do redis.call('HDEL', KEYS[2], ARGV[i]) end
for i = 5 + gone, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1

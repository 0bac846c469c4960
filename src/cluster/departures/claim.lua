-- Takes the record of one socket. It stays behind empty: whoever finds it so knows that somebody else tells of the end.
-- KEYS: a node's sockets. ARGV: the field.
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and found ~= '' then redis.call('HSET', KEYS[1], ARGV[1], '') end
return found

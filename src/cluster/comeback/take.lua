-- Takes what is known of a client. Nobody else gets it, and its node can write no more of that life.
-- KEYS: its. ARGV: ms to remember that.
local found = redis.call('GET', KEYS[1])
if not found or #found <= 16 then return false end
local life = tonumber(string.sub(found, 1, 16), 16)
redis.call('SET', KEYS[1], string.format('%016x', life + 1), 'PX', ARGV[1])
return found

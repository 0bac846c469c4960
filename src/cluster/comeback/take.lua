-- Takes what is known of a client. Nobody else gets it, and its node can write no more of that life.
-- KEYS: its. ARGV: ms to remember that.
-- Answers false where nobody is known, and nothing in a string where somebody else has just taken the client and will
-- write it down again.
local found = redis.call('GET', KEYS[1])
if not found then return false end
if #found <= 16 then return '' end
local life = tonumber(string.sub(found, 1, 16), 16)
redis.call('SET', KEYS[1], string.format('%016x', life + 1), 'PX', ARGV[1])
return found

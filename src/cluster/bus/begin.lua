-- The first entry of the stream, which is begun where there is none: its place, and whether the stream begins there.
-- KEYS: the stream. ARGV: ms to keep it.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], '*', 'm', '')
  redis.call('PEXPIRE', KEYS[1], ARGV[1] * 2)
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local begins = 0
if first[2][2] == '' then begins = 1 end
return { first[1], begins }

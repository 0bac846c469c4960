-- Publishes a batch, and keeps in the stream what clients that come back may need: every message gets its place in the
-- stream and goes out in one step, so that all nodes hear what is kept in the order of the stream.
-- KEYS: the stream, the last batch of this node. ARGV: number of this batch, messages to keep, ms to keep them, ms to
-- keep the last batch's number; then channel, whether it is kept, and message of each.
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[1]) then return 0 end
local kept = false
for i = 5, #ARGV, 3 do
  local message = ARGV[i + 2]
  if ARGV[i + 1] == '1' then
    if not kept and redis.call('EXISTS', KEYS[1]) == 0 then redis.call('XADD', KEYS[1], '*', 'm', '') end
    kept = true
    local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'm', message)
    message = '\2' .. id .. ' ' .. message
  end
  redis.call('PUBLISH', ARGV[i], message)
end
if kept then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%d-0', now - tonumber(ARGV[3])))
  redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[4])
return 1

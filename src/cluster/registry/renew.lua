-- Renews a node's lease, judges the others, and tells of all of them.
-- KEYS: the nodes. ARGV: id, lease in ms, what is told of it (JSON), whether it may judge, time to keep the dead in ms.
-- A node is `STATE UNTIL JSON`; STATE is `a` for one that lives until UNTIL, `l` for one that was lost, which is
-- forgotten at UNTIL. Times are Redis' own, in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ = now + tonumber(ARGV[2])
local before = redis.call('HGET', KEYS[1], ARGV[1])
local was = 0
if not before then was = 2 elseif string.sub(before, 1, 1) == 'l' then was = 1 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('a %d %s', until_, ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
-- Was it lost (1), or not known (2)?
local answer = { was }
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local id = all[i]
  local state, ends, told = string.match(all[i + 1], '^(%a) (%d+) (.*)$')
  ends = tonumber(ends or '0')
  if state == 'a' and ends < now and ARGV[4] == '1' then
    state = 'l'
    ends = now + tonumber(ARGV[5])
    redis.call('HSET', KEYS[1], id, string.format('l %d %s', ends, told))
  end
  if not state or (state == 'l' and ends < now) then
    redis.call('HDEL', KEYS[1], id)
  else
    answer[#answer + 1] = id
    answer[#answer + 1] = state
    answer[#answer + 1] = tostring(ends - now)
    answer[#answer + 1] = told
  end
end
return answer

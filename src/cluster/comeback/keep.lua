-- Writes down what is to be known of clients that may come back, unless a later life of theirs is known.
-- KEYS: theirs. ARGV: for each ms to keep it, its life (16 hexadecimal digits), and what follows that; nothing deletes it.
-- Answers which were refused.
local refused = {}
for i, key in ipairs(KEYS) do
  local time, life, value = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  if redis.call('GETRANGE', key, 0, 15) > life then
    refused[#refused + 1] = i
  elseif value == '' then
    redis.call('DEL', key)
  else
    redis.call('SET', key, life .. value, 'PX', time)
  end
end
return refused

-- ARGV: holder, lease in ms, how many seats there are. Gives the lowest free one, or nil.
local held = redis.call('HGETALL', seats)
local taken = {}
for i = 1, #held, 2 do
  if holder_of(held[i + 1]) then
    taken[held[i]] = true
  else
    redis.call('HDEL', seats, held[i])
  end
end
for number = 0, tonumber(ARGV[3]) - 1 do
  if not taken[tostring(number)] then
    hold(number, ARGV[1], tonumber(ARGV[2]))
    return number
  end
end
return nil

-- Gives pairs of number and holder.
local held = redis.call('HGETALL', seats)
local found = {}
for i = 1, #held, 2 do
  local holder = holder_of(held[i + 1])
  if holder then found[#found + 1] = { held[i], holder } end
end
return found

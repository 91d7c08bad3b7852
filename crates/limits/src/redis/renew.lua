-- ARGV: holder, lease in ms, numbers. Gives 1 for each that is the holder's now, 0 for each that is another's.
local ours = {}
for i = 3, #ARGV do
  local holder = holder_of(redis.call('HGET', seats, ARGV[i]))
  if holder and holder ~= ARGV[1] then
    ours[#ours + 1] = 0
  else
    hold(ARGV[i], ARGV[1], tonumber(ARGV[2]))
    ours[#ours + 1] = 1
  end
end
return ours

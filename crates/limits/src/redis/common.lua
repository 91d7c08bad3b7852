-- KEYS[1]: the hash of a key's seats. Its fields are numbers, its values "<until, in ms> <holder>".
local seats = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Who holds this value's seat now; nil where its lease has ended.
local function holder_of(value)
  if not value then return nil end
  local ends, holder = string.match(value, '^(%d+) (.*)$')
  if tonumber(ends) > now then return holder end
  return nil
end

local function hold(number, holder, lease)
  redis.call('HSET', seats, number, string.format('%.0f %s', now + lease, holder))
  if redis.call('PTTL', seats) < lease then redis.call('PEXPIRE', seats, lease) end
end

-- KEYS[1]: where the key's arrival time lies, in µs.
-- ARGV: µs that one unit costs, burst, cost, and now in µs, or nothing for the time of Redis.
-- Gives 1 and µs until the whole burst is free again, or 0 and µs to wait. See crates/limits/src/gcra.rs.
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local interval = tonumber(ARGV[1])
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
local owed = math.max(arrival - now, 0)
local wait = owed - interval * (tonumber(ARGV[2]) - 1)
-- Less than a µs is what rounding leaves.
if wait >= 1 then return { 0, string.format('%.0f', wait) } end
local reset = owed + interval * tonumber(ARGV[3])
local kept = math.ceil(reset / 1000) + 1
-- The time of callers can stand still while Redis' own goes on.
if ARGV[4] ~= '' then kept = kept + 3600000 end
redis.call('SET', KEYS[1], string.format('%.3f', now + reset), 'PX', string.format('%.0f', kept))
return { 1, string.format('%.0f', reset) }

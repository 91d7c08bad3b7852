-- ARGV: holder, number.
if holder_of(redis.call('HGET', seats, ARGV[2])) == ARGV[1] then redis.call('HDEL', seats, ARGV[2]) end
return nil

-- What is learned about one mailbox, told by one process for all. KEYS: its key. ARGV: provider, whether that is sure, the subject that stands for it or
-- nothing, for how many milliseconds it is remembered. A guess yields to what is known; the first who says what stands for it is right.
-- Returns both as they are known now.

local key, stands = KEYS[1], ARGV[3]
redis.call(ARGV[2] == '1' and 'HSET' or 'HSETNX', key, 'provider', ARGV[1])
if stands ~= '' then
  redis.call('HSETNX', key, 'stands', stands)
end
redis.call('PEXPIRE', key, ARGV[4])
return redis.call('HMGET', key, 'provider', 'stands')

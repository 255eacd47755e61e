-- Book all that one request claims, or nothing: every window, cap and limit is asked before anything is charged.
-- KEYS: windows, caps, limits. ARGV: entry id, lease id, numbers of windows and of caps; the count of each cap; count, window and cost of each limit.
-- Returns {1, entry ids, {window probed, its length, ...}, {window, reopened so long ago, its length, ...}},
-- or {0, wait, what holds (1 window, 2 cap, 3 limit), which of them, probing, and of a window {length, cap, growth, cause, probes}}.

local entry_id, lease_id = tonumber(ARGV[1]), ARGV[2]
local scopes, caps = tonumber(ARGV[3]), tonumber(ARGV[4])

local longest = { 0, 0 }
local function hold(wait, ...)
  if wait > longest[2] then
    longest = { 0, wait, ... }
  end
end

for i = 1, scopes do
  local window = window_at(KEYS[i])
  if window then
    advance_window(window)
    if is_over(window) then
      windows[KEYS[i]] = false
    else
      local probing = now >= window.closes and 1 or 0
      hold(closed_for(window), 1, i, probing, { window.length, window.cap, window.growth, window.cause, window.probes })
    end
  end
end

local function end_leases(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  local latest = whole(now + LEASE_US)
  for _, holder in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. latest, '+inf')) do
    redis.call('ZADD', key, latest, holder) -- the clock has stepped back
  end
end

for i = 1, caps do
  local key, count = KEYS[scopes + i], tonumber(ARGV[4 + i])
  end_leases(key)
  if redis.call('ZCARD', key) >= count and not redis.call('ZSCORE', key, lease_id) then
    -- A late renewal may have made them more than the cap: all but `count - 1` must end.
    local last = redis.call('ZREVRANGE', key, count - 1, count - 1, 'WITHSCORES')
    hold(tonumber(last[2]) - now, 2, i, 0)
  end
end

local claims, costs = {}, {}
for i = scopes + caps + 1, #KEYS do
  local at = 4 + caps + 3 * #claims
  local claim = { key = KEYS[i], count = tonumber(ARGV[at + 1]), window = tonumber(ARGV[at + 2]), cost = tonumber(ARGV[at + 3]) }
  table.insert(claims, claim)
  costs[claim.key] = (costs[claim.key] or 0) + claim.cost
end
for i, claim in ipairs(claims) do
  local log = log_at(claim.key)
  advance_log(log, claim.window)
  hold(wait_for(log, costs[claim.key], claim.count), 3, i, 0)
end

local answer = longest
if longest[2] == 0 then
  local ids, probes, reopened = {}, {}, {}
  for i = 1, caps do
    lend(KEYS[scopes + i], lease_id)
  end
  for i = 1, scopes do
    local window = windows[KEYS[i]]
    if window and window.is_reopened then
      table.insert(reopened, i)
      table.insert(reopened, now - window.reopened)
      table.insert(reopened, window.length)
    elseif window then
      window.probe_id = lease_id
      window.probe_until = now + PROBE_MAX_US
      table.insert(probes, i)
      table.insert(probes, window.length)
    end
  end
  for i, claim in ipairs(claims) do
    ids[i] = charge(logs[claim.key], claim.cost, entry_id)
  end
  answer = { 1, ids, probes, reopened }
end
keep_logs()
keep_windows()
return answer

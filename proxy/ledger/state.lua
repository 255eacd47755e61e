-- What one application's keys hold: logs of arrivals, leases and throttle windows. The same arithmetic as the book in memory, number by number.
-- Whole microseconds of this server's clock. Every key goes by itself once it holds nothing back.

local SLOTS = 32
local FINE_SLOTS = 256
local LEASE_US = 30000000
local PROBE_MAX_US = 120000000
local REMEMBERED_US = 60000000
local UNASKED_US = 86400000000 -- a window that waits for its probe is forgotten when nobody has asked for a day

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function whole(number)
  return string.format('%.0f', number)
end

-- Never too early: the server rounds its clock down to milliseconds.
local function for_ms(us)
  return whole(math.floor(us / 1000) + 2)
end

local stored = {}

local function packed_at(key)
  local packed = redis.call('GET', key)
  stored[key] = packed
  return packed and cmsgpack.unpack(packed)
end

-- Logs: {seen, then of each entry: first, newest, cost, id}

local logs = {}

local function log_at(key)
  if logs[key] then
    return logs[key]
  end
  local log = { seen = 0, used = 0, window = 0, entries = {} }
  local numbers = packed_at(key)
  if numbers then
    log.seen = numbers[1]
    for i = 2, #numbers, 4 do
      table.insert(log.entries, { first = numbers[i], newest = numbers[i + 1], cost = numbers[i + 2], id = numbers[i + 3] })
      log.used = log.used + numbers[i + 2]
    end
  end
  logs[key] = log
  return log
end

local function advance_log(log, window_us)
  log.window = window_us
  local back = log.seen - now
  if back > 0 then
    for _, entry in ipairs(log.entries) do
      entry.first = entry.first - back
      entry.newest = entry.newest - back
    end
  end
  log.seen = now
  while log.entries[1] and now - log.entries[1].newest >= window_us do
    log.used = log.used - table.remove(log.entries, 1).cost
  end
end

local function wait_for(log, cost, count)
  local surplus = math.min(log.used + cost - count, log.used)
  if surplus <= 0 then
    return 0
  end
  local i = 1
  surplus = surplus - log.entries[1].cost
  while surplus > 0 do
    i = i + 1
    surplus = surplus - log.entries[i].cost
  end
  return log.entries[i].newest + log.window - now
end

local function slot_of(log)
  local slots = #log.entries < SLOTS and FINE_SLOTS or SLOTS
  return math.ceil(log.window / slots)
end

-- As the newest.
local function append(log, at, cost, id)
  local tail = log.entries[#log.entries]
  if tail and at - tail.first < slot_of(log) then
    tail.newest = at
    tail.cost = tail.cost + cost
    return tail.id
  end
  table.insert(log.entries, { first = at, newest = at, cost = cost, id = id })
  return id
end

local function charge(log, cost, id)
  return append(log, now, cost, id)
end

-- What was spent so long ago.
local function recall(log, cost, age, id)
  if age >= log.window then
    return
  end
  local at, i = now - age, #log.entries
  while i > 0 and log.entries[i].newest >= at do
    i = i - 1
  end
  local later = log.entries[i + 1]
  if not later then
    append(log, at, cost, id)
    return
  end
  if later.newest - at < slot_of(log) then
    later.first = math.min(later.first, at)
    later.cost = later.cost + cost
  elseif i > 0 and at - log.entries[i].first < slot_of(log) then
    log.entries[i].newest = at
    log.entries[i].cost = log.entries[i].cost + cost
  else
    table.insert(log.entries, i + 1, { first = at, newest = at, cost = cost, id = id })
  end
end

local function entry_of(log, id)
  for _, entry in ipairs(log.entries) do
    if entry.id == id then
      return entry
    end
  end
end

local function give_back(log, id, cost)
  local entry = entry_of(log, id)
  if entry then
    entry.cost = entry.cost - math.min(cost, entry.cost)
  end
end

local function keep_logs()
  for key, log in pairs(logs) do
    local numbers = { log.seen }
    for _, entry in ipairs(log.entries) do
      table.insert(numbers, entry.first)
      table.insert(numbers, entry.newest)
      table.insert(numbers, entry.cost)
      table.insert(numbers, entry.id)
    end
    local newest = log.entries[#log.entries]
    if newest then
      redis.call('SET', key, cmsgpack.pack(numbers), 'PX', for_ms(newest.newest + log.window - now))
    elseif stored[key] then
      redis.call('DEL', key)
    end
  end
end

-- Leases: a sorted set of the holders, by the time when they end

local function lend(key, lease_id)
  redis.call('ZADD', key, whole(now + LEASE_US), lease_id)
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES') -- may be another one's, where the clock has stepped back
  redis.call('PEXPIRE', key, for_ms(tonumber(last[2]) - now))
end

-- Windows

local windows = {}

local function window_at(key)
  if windows[key] == nil then
    windows[key] = packed_at(key) or false
  end
  return windows[key]
end

local function opened(opening)
  return {
    cap = opening.cap,
    growth = opening.growth,
    cause = opening.cause,
    probes = opening.probes,
    seen = now,
    closes = now + opening.wait,
    length = opening.wait,
    probe_id = '',
    probe_until = 0,
    is_reopened = false,
    reopened = 0,
  }
end

local function advance_window(window)
  local back = window.seen - now
  if back > 0 then
    window.closes = window.closes - back
    window.probe_until = window.probe_until - back
    if window.is_reopened then
      window.reopened = window.reopened - back
    end
  end
  window.seen = now
end

local function is_over(window)
  if window.is_reopened then
    return now - window.reopened >= REMEMBERED_US
  end
  return window.probes == 0 and now >= window.closes
end

local function closed_for(window)
  if window.is_reopened then
    return 0
  elseif now < window.closes then
    return window.closes - now
  elseif window.probe_id ~= '' then
    return math.max(0, window.probe_until - now)
  end
  return 0
end

local function told_for(window)
  if window.is_reopened then
    return window.reopened + REMEMBERED_US - now
  elseif window.probes == 0 then
    return window.closes - now
  end
  return math.max(window.closes, window.probe_until) + UNASKED_US - now
end

local function keep_windows()
  for key, window in pairs(windows) do
    if window and not is_over(window) then
      redis.call('SET', key, cmsgpack.pack(window), 'PX', for_ms(told_for(window)))
    elseif stored[key] then
      redis.call('DEL', key)
    end
  end
end

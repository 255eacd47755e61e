-- One correction of what one key holds. KEYS: that key. ARGV: what to do, and with what.

local key, what = KEYS[1], ARGV[1]

local function number(i)
  return tonumber(ARGV[i])
end

local function log_now()
  local log = log_at(key)
  advance_log(log, number(2))
  return log
end

-- Only where there is none yet, a new window.
local function window_now(fresh)
  local window = window_at(key)
  if window then
    advance_window(window)
  end
  if fresh and (not window or is_over(window)) then
    windows[key] = opened(fresh)
    return windows[key], true
  end
  return window, false
end

local corrections = {}

-- window, entry id, units booked, units really used, id of a new entry; returns that of the entry which has what was booked too little
function corrections.settle()
  local log, booked, cost = log_now(), number(4), number(5)
  if cost < booked then
    give_back(log, number(3), booked - cost)
  elseif cost > booked then
    return charge(log, cost - booked, number(6))
  end
end

-- window, entry id, units booked, id of a new entry; returns that of the entry which has them now
function corrections.move()
  local log = log_now()
  give_back(log, number(3), number(4))
  return charge(log, number(4), number(5))
end

-- window, id of an entry that was told, then of what was spent, the oldest first: how long ago, units known when that entry was told, units that
-- were not, id of a new entry; returns the entry to tell next time, which goes after all of them
function corrections.recall()
  local log = log_now()
  local was_lost = not entry_of(log, number(3))
  for i = 4, #ARGV, 4 do
    local missing = number(i + 2) + (was_lost and number(i + 1) or 0)
    if missing > 0 then
      recall(log, missing, number(i), number(i + 3))
    end
  end
  local tail = log.entries[#log.entries]
  return tail and tail.id
end

-- lease id
function corrections.renew()
  lend(key, ARGV[2])
end

-- lease id
function corrections.release()
  redis.call('ZREM', key, ARGV[2])
end

local function opening_told()
  return { wait = number(2), cap = number(3), growth = number(4), cause = ARGV[5], probes = number(6) }
end

local function is_tried_out(window)
  return window.is_reopened or now >= window.closes
end

-- an opening: wait, cap, growth, cause, whether it probes; returns for how long the scope is closed now
function corrections.open()
  local opening = opening_told()
  local window, is_new = window_now(opening)
  if is_new then
    return window.closes - now
  end
  local length = opening.wait
  if is_tried_out(window) then
    length = math.max(length, math.min(opening.cap, math.floor(window.length * opening.growth / 100)))
    window.probe_id = ''
    window.is_reopened = false
  end
  if now + length > window.closes then
    window.cap, window.growth, window.cause, window.probes = opening.cap, opening.growth, opening.cause, opening.probes
    window.length = math.max(window.length, length)
    window.closes = now + length
  end
  return window.closes - now
end

-- an opening that a proxy remembers, `wait` being what is left of it, and its length
function corrections.restore()
  local opening = opening_told()
  local window, is_new = window_now(opening)
  if is_new then
    window.length = number(7)
  elseif now + opening.wait > window.closes then
    windows[key] = opened(opening)
    windows[key].length = math.max(window.length, number(7))
  end
end

-- lease id, whether it succeeded
function corrections.end_probe()
  local window = window_now()
  if window and window.probe_id == ARGV[2] then
    window.probe_id = ''
    if ARGV[3] == '1' and now >= window.closes then
      window.is_reopened = true
      window.reopened = now
    end
  end
end

function corrections.touch()
  redis.call('SET', key, '1', 'PX', '1000')
end

local answer = corrections[what]()
keep_logs()
keep_windows()
return answer or 0

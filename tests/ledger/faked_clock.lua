-- Before a script: the last argument is the time that it is told, and keys expire by that time.
local server, told = redis, tonumber(table.remove(ARGV))
local redis = {}
local function expires(key, ms)
  server.call('SET', key .. ' expires', string.format('%.0f', (math.floor(told / 1000) + tonumber(ms)) * 1000))
end
function redis.call(name, key, ...)
  if name == 'TIME' then
    return { string.format('%.0f', math.floor(told / 1000000)), string.format('%.0f', told % 1000000) }
  end
  local expiry = server.call('GET', key .. ' expires')
  if expiry and told >= tonumber(expiry) then
    server.call('DEL', key, key .. ' expires')
  end
  if name == 'PEXPIRE' then
    return expires(key, ...)
  elseif name == 'SET' then
    local value, _, ms = ...
    expires(key, ms)
    return server.call(name, key, value)
  end
  return server.call(name, key, ...)
end

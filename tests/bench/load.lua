-- Sends requests made of templates. Arguments: FILE FROM COUNT. FILE is written by load.py: a line
-- with the number of templates and of tokens, then each as a line with its length and its bytes.
-- In a template, @N@ is a number of nine digits that no request has twice, @S@ operands of a shape that
-- no request has twice, @T@ the next token. COUNT 0 sends until the time is over.

local templates, tokens = {}, {}
local number, left = 0, 0
-- Eight operands in parentheses, whose depths spell the number.
local function shape(n)
  local out = {}
  for i = 1, 8 do
    local depth = n % 5
    out[i] = "%20%2B%20" .. ("%28"):rep(depth) .. "1" .. ("%29"):rep(depth)
    n = math.floor(n / 5)
  end
  return table.concat(out)
end

local function take(file, line)
  local bytes = file:read(tonumber(line))
  file:read(1)
  return bytes
end

local function cut(text)
  local parts, at = {}, 1
  while true do
    local from, to = text:find("@[NST]@", at)
    if not from then break end
    parts[#parts + 1] = text:sub(at, from - 1)
    parts[#parts + 1] = text:sub(from + 1, from + 1)
    at = to + 1
  end
  parts[#parts + 1] = text:sub(at)
  return parts
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local many, more = file:read("*l"):match("(%d+) (%d+)")
  for i = 1, tonumber(many) do templates[i] = cut(take(file, file:read("*l"))) end
  for i = 1, tonumber(more) do tokens[i] = take(file, file:read("*l")) end
  file:close()
  number, left = tonumber(args[2]), tonumber(args[3])
end

function request()
  number = number + 1
  left = left - 1
  if left == 0 then wrk.thread:stop() end
  local template = templates[number % #templates + 1]
  if #template == 1 then return template[1] end
  local out = {}
  for i, part in ipairs(template) do
    if i % 2 == 1 then out[i] = part
    elseif part == "N" then out[i] = string.format("%d", 100000000 + number)
    elseif part == "S" then out[i] = shape(number)
    else out[i] = tokens[number % #tokens + 1] end
  end
  return table.concat(out)
end

local pause = tonumber(os.getenv("BENCH_PAUSE_MS") or "0")
if pause > 0 then
  function delay() return pause end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d, "refused": %d, "p50": %g, "p99": %g}\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end

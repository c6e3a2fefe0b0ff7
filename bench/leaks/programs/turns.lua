-- Programs in Lua that need no load: `turns.lua KIND`, a thousand turns between two rests. `registry` leaks.
local kind, ring, kept, n = arg[1], {}, {}, 0
while true do
  for _ = 1, 1000 do
    n = n + 1
    local row = { id = n, text = ("row %d "):rep(8):format(n, n, n, n, n, n, n, n) }
    if kind == "ring" then ring[n % 60000] = row end
    if kind == "registry" and n % 2 == 0 then kept["row " .. n] = row end
  end
  os.execute("sleep 0." .. math.random(3, 9))
end

-- Sends what the arguments say, and tells what came of it in one line.
function init(args)
  if args[1] == "POST" then
    wrk.method = "POST"
    wrk.body = string.rep("x", tonumber(args[2]))
    wrk.headers["Content-Type"] = "application/octet-stream"
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format("done %d failed %d\n", summary.requests, failed))
end

-- What wrk says at its end, as lines for load.py: the sums, then the histogram of latencies as microseconds and count.
-- It defines no request or response, so wrk sends and parses as it does without a script.

function done(summary, latency)
	local errors = summary.errors
	print(string.format("REPORT %d %d %d %d %d %d %d %d", summary.duration, summary.requests, summary.bytes,
		errors.connect, errors.read, errors.write, errors.timeout, errors.status))
	for index = 1, #latency do
		local value, count = latency(index)
		print(string.format("LATENCY %d %d", value, count))
	end
end

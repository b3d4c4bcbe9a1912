// Calls of the admin API. Who is not known is sent to the login; everything else that fails is an ApiError in the
// server's own words.

export class ApiError extends Error {
	constructor(status, problem) {
		super(problem.detail || problem.title || `the server answered ${status}`);
		this.status = status;
		this.errors = problem.errors || [];
	}

	/** One text with all that the server said. */
	get words() {
		const more = this.errors.map((error) =>
			[error.path, error.reason, error.expected && `expected: ${error.expected}`].filter(Boolean).join(": "),
		);
		return [this.message, ...more].join(" · ");
	}
}

/** Fired on it: "unauthorized", when the session is over. */
export const session = new EventTarget();

function address(path, query) {
	const url = new URL(`/api/v1${path}`, location.origin);
	for (const [name, value] of Object.entries(query || {}))
		if (value !== undefined && value !== null && value !== "" && value !== false) url.searchParams.set(name, value);
	return url;
}

/** One call: {data, revision}. Options: query, body (sent as JSON), revision (If-Match), signal. */
export async function call(method, path, {query, body, revision, signal} = {}) {
	const headers = {};
	if (body !== undefined) headers["Content-Type"] = "application/json";
	if (revision !== undefined) headers["If-Match"] = `"${revision}"`;
	let response;
	try {
		response = await fetch(address(path, query), {
			method,
			headers,
			signal,
			cache: "no-store",
			credentials: "same-origin",
			body: body === undefined ? undefined : JSON.stringify(body),
		});
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new ApiError(0, {detail: "pointsman does not answer"});
	}
	const data = await response.json().catch(() => ({}));
	if (response.ok)
		return {
			data,
			revision: Number((response.headers.get("ETag") || "").replace(/\D/g, "")) || data.revision,
		};
	if (response.status === 401 && path !== "/login") session.dispatchEvent(new Event("unauthorized"));
	throw new ApiError(response.status, data);
}

/** The body of a GET. */
export async function get(path, query, signal) {
	return (await call("GET", path, {query, signal})).data;
}

/** A path segment. */
export const part = encodeURIComponent;

// Reading from the API for a view: the newest question counts, an older answer is dropped, what fails is shown.
import {fill, h} from "./dom.js";
import {clock} from "./format.js";
import {serverNow} from "./live.js";
import {failure} from "./parts.js";

/** `read(signal)` asks, `put(answer)` shows. `load()` does both; `place` is where a failure is said. */
export function loader(read, put) {
	const place = h("div");
	let abort = null,
		readAt = 0;
	const old = () => (readAt ? h("p", {class: "muted"}, `What is shown was read at ${clock(readAt)}.`) : null);
	const load = async () => {
		abort?.abort();
		const mine = (abort = new AbortController());
		place.closest("main")?.setAttribute("aria-busy", "true");
		try {
			const answer = await read(mine.signal);
			if (abort !== mine) return;
			fill(place);
			readAt = serverNow();
			put(answer);
		} catch (error) {
			if (abort !== mine || error.name === "AbortError") return;
			fill(place, failure(error), old());
		} finally {
			if (abort === mine) place.closest("main")?.removeAttribute("aria-busy");
		}
	};
	return {
		place,
		load,
		stop: () => {
			abort?.abort();
			abort = null;
			place.closest("main")?.removeAttribute("aria-busy");
		},
	};
}

/** Calls `action` at most every `ms`: at once if it may, else when it may again. `cancel` forgets it. */
export function seldom(action, ms) {
	let last = 0,
		timer = 0;
	const run = () => {
		timer = 0;
		last = Date.now();
		action();
	};
	const call = () => {
		if (timer === 0) timer = setTimeout(run, Math.max(0, last + ms - Date.now()));
	};
	call.cancel = () => clearTimeout(timer);
	return call;
}

/** Calls `action` every `ms` while the page can be seen; returns what ends it. */
export function every(ms, action) {
	const timer = setInterval(() => document.visibilityState === "visible" && action(), ms);
	return () => clearInterval(timer);
}

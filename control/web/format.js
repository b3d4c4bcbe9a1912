// Numbers, shares and times as people read them. Times are local, with UTC in the title. A unit stays in
// the line of its number.
import {h} from "./dom.js";
import {serverNow} from "./live.js";

const whole = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});
const hundredths = new Intl.NumberFormat("en-US", {maximumFractionDigits: 2});
const oneDigit = new Intl.NumberFormat("en-US", {maximumFractionDigits: 1});
const tenths = new Intl.NumberFormat("en-US", {minimumFractionDigits: 1, maximumFractionDigits: 1});
const clockFormat = new Intl.DateTimeFormat("en-GB", {
	hour: "2-digit",
	minute: "2-digit",
	second: "2-digit",
	hour12: false,
});
const dayFormat = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", year: "numeric"});
export const NONE = "–";

/** 1,234,567; a dash for nothing. */
export function number(value) {
	return value === null || value === undefined ? NONE : whole.format(value);
}

/** A weight or another figure in hundredths. */
export function decimal(value) {
	return value === null || value === undefined ? NONE : hundredths.format(value);
}

/** 12.5 % */
export function share(value) {
	return value === null || value === undefined ? NONE : `${hundredths.format(value)}\u00a0%`;
}

/** 1.2 MB: decimal units. */
export function bytes(value) {
	if (value === null || value === undefined) return NONE;
	const units = ["B", "kB", "MB", "GB", "TB", "PB"];
	let index = 0;
	while (Math.abs(value) >= 1000 && index < units.length - 1) {
		value /= 1000;
		index++;
	}
	return `${(index === 0 ? whole : tenths).format(value)}\u00a0${units[index]}`;
}

/** A short number for an axis: 1.2k. */
export function compact(value) {
	if (Math.abs(value) >= 1e6) return `${oneDigit.format(value / 1e6)}M`;
	return Math.abs(value) >= 1e4 ? `${oneDigit.format(value / 1e3)}k` : hundredths.format(value);
}

/** 1,234 or 1.2M: where there is no room for more. */
export function brief(value) {
	return value >= 1e6 ? compact(value) : number(value);
}

/** 1 d 3 h, 4 min 2 s: the two largest units. */
export function duration(seconds) {
	if (seconds === null || seconds === undefined) return NONE;
	seconds = Math.max(0, Math.round(seconds));
	const units = [
		[86400, "d"],
		[3600, "h"],
		[60, "min"],
		[1, "s"],
	];
	const parts = [];
	for (const [size, name] of units) {
		const count = Math.floor(seconds / size);
		if (count > 0 || (size === 1 && parts.length === 0)) parts.push(`${count}\u00a0${name}`);
		else if (parts.length > 0) break;
		seconds -= count * size;
		if (parts.length === 2) break;
	}
	return parts.join(" ");
}

/** 12:03:04, local. */
export function clock(ms) {
	return clockFormat.format(new Date(ms));
}

/** 12:03:04 of today, else with the date. */
function moment(ms) {
	const date = new Date(ms);
	const today = new Date();
	const same = date.toDateString() === today.toDateString();
	return same ? clockFormat.format(date) : `${dayFormat.format(date)}, ${clockFormat.format(date)}`;
}

/** A <time> with the local time, UTC in its title; a dash for never. `iso` is RFC 3339. */
export function time(iso) {
	if (!iso) return h("span", {class: "muted"}, NONE);
	const ms = Date.parse(iso);
	return h(
		"time",
		{datetime: iso, title: new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC")},
		moment(ms),
	);
}

/** How long ago, with both clocks in the title. */
export function ago(iso) {
	if (!iso) return h("span", {class: "muted"}, NONE);
	const ms = Date.parse(iso);
	const age = (serverNow() - ms) / 1000;
	const words = age < 1 ? "now" : `${duration(age)} ago`;
	return h("time", {datetime: iso, title: `${moment(ms)} (${new Date(ms).toISOString()})`}, words);
}

/** "1 route", "2 routes" */
export function count(value, one, many = `${one}s`) {
	return `${number(value)} ${value === 1 ? one : many}`;
}

// Plans: what a change would do, asked with dry_run, shown, and then done only if it is still the same.
import {ApiError, call} from "./api.js";
import {h} from "./dom.js";
import {count, number, share} from "./format.js";
import {notice, pill, routeLink, shareBar, table} from "./parts.js";

const SHOWN = 50;
const ATTEMPTS = 5;

/** Asks what a call would do: {data, revision, refusal}; `refusal` says why it needs force, or is null. */
export async function preview(method, path, body) {
	const ask = (given) => call(method, path, {query: {dry_run: true}, body: given});
	const answer = await ask(body);
	const plan = answer.data.plan;
	if (!plan?.refused) return {...answer, refusal: null};
	const words = plan.notes.join(" ");
	if (!plan.forceable || body === undefined) throw new ApiError(409, {detail: words});
	return {...(await ask({...body, force: true})), refusal: words};
}

/* The part of an answer that the operator has looked at and that does not change by itself. */
function substance(answer) {
	return JSON.stringify([answer.data.changed, answer.data.plan, answer.data.confirmed]);
}

/** Thrown when the plan is no longer what was shown; `answer` is the new one. */
export class PlanChanged extends Error {
	constructor(answer) {
		super("Something else has changed meanwhile: look at the new plan, then apply.");
		this.answer = answer;
	}
}

/** Does a call if it would still do what `seen` (from preview) shows: asks once more and binds the call to that
 *  revision. Returns the server's answer. */
export async function apply(method, path, body, seen, reason) {
	const wanted = seen.refusal ? {...body, force: true} : body;
	for (let i = 0; i < ATTEMPTS; i++) {
		const now = await preview(method, path, body);
		if (substance(now) !== substance(seen) || Boolean(now.refusal) !== Boolean(seen.refusal))
			throw new PlanChanged(now);
		try {
			return (await call(method, path, {query: {reason}, body: wanted, revision: now.revision})).data;
		} catch (error) {
			if (error.status !== 412) throw error;
		}
	}
	throw new ApiError(412, {detail: "The state changes faster than this can be applied: try again."});
}

const LEVELS = {red: ["red", "bad"], yellow: ["yellow", "warn"]};

function shares(list) {
	return h(
		"div",
		{class: "plan-shares"},
		shareBar(list),
		h("span", {class: "figures"}, list.map((one) => `${one.cluster} ${share(one.share)}`).join(" · ")),
	);
}

function notes(change) {
	return [
		pill(...(LEVELS[change.level] || ["ok", "good"])),
		change.notes?.length
			? h(
					"ul",
					{class: "notes"},
					change.notes.map((note) => h("li", {}, note)),
				)
			: null,
	];
}

/** A plan as a table with a sentence above it. */
export function planView(plan) {
	const changes = plan.changes || [];
	const body = table(
		"What would change",
		[
			{head: "Route", cell: (change) => routeLink(change.host)},
			{head: "Notes", cell: notes},
			{head: "Now", cell: (change) => shares(change.before || [])},
			{head: "Then", cell: (change) => shares(change.after || [])},
		],
		{testid: "plan", empty: "No route's share changes."},
	);
	const red = [...changes].sort((a, b) => rank(a) - rank(b));
	let shown = SHOWN;
	const more = h(
		"button",
		{
			type: "button",
			class: "small",
			on: {
				click: () => {
					shown += SHOWN;
					put();
				},
			},
		},
		"Show more",
	);
	const put = () => {
		body.set(red.slice(0, shown));
		more.hidden = shown >= red.length;
	};
	put();
	const yellow = changes.filter((change) => change.level === "yellow").length;
	return h(
		"div",
		{class: "plan", data: {testid: "plan-box", red: plan.red}},
		h(
			"p",
			{data: {testid: "plan-words"}},
			`${count(plan.routes, "route")} in this plan`,
			plan.red ? [", ", h("b", {class: "text-bad"}, `${number(plan.red)} red`)] : "",
			yellow ? [", ", h("b", {class: "text-warn"}, `${number(yellow)} yellow`)] : "",
			".",
		),
		body.element,
		more,
		plan.routes > changes.length && changes.length > 0
			? notice("info", `Only the first ${number(changes.length)} are listed.`)
			: null,
	);
}

function rank(change) {
	return change.level === "red" ? 0 : change.level === "yellow" ? 1 : 2;
}

// The panel that moves a route's share: slider, number, target, plan, reason, apply.
import {part} from "./api.js";
import {debounced, field, fill, h, select} from "./dom.js";
import {share} from "./format.js";
import {failure, notice, panel, toast} from "./parts.js";
import {apply, PlanChanged, planView, preview} from "./plan.js";

const STEPS = [0, 1, 10, 50, 100];

/** `set(route)` tells it the present state; what the operator has begun stays. */
export function shiftPanel(host) {
	const path = `/routes/${part(host)}/shift`;
	let seen = null,
		turn = 0,
		begun = false;
	const to = select([], "", {data: {testid: "shift-to"}});
	const slider = h("input", {
		type: "range",
		min: 0,
		max: 100,
		step: 1,
		value: 0,
		"aria-label": "Share in percent",
		data: {testid: "shift-slider"},
	});
	const exact = h("input", {
		type: "number",
		min: 0,
		max: 100,
		step: "0.01",
		value: 0,
		class: "short",
		data: {testid: "shift-percent"},
	});
	const reason = h("input", {
		type: "text",
		maxLength: 200,
		autocomplete: "off",
		placeholder: "for example CHG0012345",
		data: {testid: "shift-reason"},
	});
	const forced = h("input", {type: "checkbox", data: {testid: "shift-force"}, on: {change: () => ready()}});
	const forceRow = h("label", {class: "check", hidden: true}, forced, h("span", {}, "Force it all the same"));
	const planPlace = h("div", {"aria-live": "polite"}),
		error = h("div");
	const look = h("button", {type: "submit", data: {testid: "shift-preview"}}, "Preview");
	const button = h(
		"button",
		{
			type: "button",
			class: "primary",
			disabled: true,
			data: {testid: "shift-apply"},
			on: {click: () => act()},
		},
		"Apply",
	);
	const stale = () => {
		begun = true;
		seen = null;
		turn++;
		fill(planPlace);
		fill(error);
		forceRow.hidden = true;
		ready();
	};
	const ready = () => {
		button.disabled = !seen || (Boolean(seen.refusal) && !forced.checked) || seen.data.changed === false;
	};
	const setPercent = (value, from) => {
		if (from !== slider) slider.value = value;
		if (from !== exact) exact.value = value;
	};
	const body = () => ({to: to.value, percent: Number(exact.value)});
	const put = (answer) => {
		seen = answer;
		forced.checked = false;
		forceRow.hidden = !answer.refusal;
		fill(
			planPlace,
			answer.refusal ? notice("bad", answer.refusal) : null,
			answer.data.plan ? planView(answer.data.plan) : null,
			answer.data.changed === false ? notice("info", "This changes nothing: it is so already.") : null,
		);
		ready();
	};
	const ask = async () => {
		if (!exact.reportValidity() || exact.value === "") return;
		stale();
		const mine = turn;
		try {
			const answer = await preview("POST", path, body());
			if (mine === turn) put(answer);
		} catch (failed) {
			if (mine === turn) fill(error, failure(failed));
		}
	};
	const soon = debounced(ask, 350);
	const act = async () => {
		const sent = body(),
			mine = turn;
		button.disabled = true;
		try {
			const answer = await apply("POST", path, sent, seen, reason.value.trim());
			toast(`${host}: ${sent.to} gets ${share(sent.percent)} (revision ${answer.revision}).`);
			if (mine !== turn) return; // the next one has been begun
			stale();
			begun = false;
			reason.value = "";
		} catch (failed) {
			if (mine !== turn || !element.isConnected) {
				toast(`${host}: not shifted. ${failed.words || failed.message}`, "bad");
				return;
			}
			if (failed instanceof PlanChanged) put(failed.answer);
			fill(error, failed instanceof PlanChanged ? notice("warn", failed.message) : failure(failed));
			ready();
		}
	};
	slider.addEventListener("input", () => {
		setPercent(slider.value, slider);
		stale();
	});
	slider.addEventListener("change", soon);
	exact.addEventListener("input", () => {
		setPercent(exact.value, exact);
		stale();
	});
	to.addEventListener("change", () => {
		setPercent(current?.clusters.find((one) => one.cluster === to.value)?.planned_share ?? 0);
		stale();
	});
	let current = null;
	const presets = h(
		"div",
		{class: "presets", role: "group", "aria-label": "Usual steps"},
		STEPS.map((step) =>
			h(
				"button",
				{
					type: "button",
					class: "small",
					data: {testid: `shift-step-${step}`},
					on: {
						click: () => {
							setPercent(step);
							ask();
						},
					},
				},
				`${step} %`,
			),
		),
	);
	const element = panel(
		"Shift",
		h(
			"form",
			{
				class: "shift",
				on: {
					submit: (event) => {
						event.preventDefault();
						ask();
					},
				},
			},
			h(
				"div",
				{class: "shift-fields"},
				field("Target cluster", to),
				field("Share in %", exact),
				h("div", {class: "field grow"}, h("span", {class: "label"}, "0 to 100 %"), slider, presets),
				look,
			),
			planPlace,
			forceRow,
			h(
				"div",
				{class: "shift-fields"},
				h("div", {class: "grow"}, field("Reason (shown in the events and revisions)", reason)),
				button,
			),
			error,
		),
	);
	const set = (route) => {
		current = route;
		const names = route.clusters.map((one) => one.cluster);
		if (names.join("\n") !== [...to.options].map((option) => option.value).join("\n")) {
			const before = to.value;
			fill(
				to,
				names.map((name) => h("option", {value: name}, name)),
			);
			to.value = names.includes(before) ? before : (names[names.length - 1] ?? "");
		}
		if (!begun) setPercent(route.clusters.find((one) => one.cluster === to.value)?.planned_share ?? 0);
	};
	return {element, set};
}

// The dialog in which every change of the operator's is looked at, given a reason, and confirmed.
import {debounced, field, fill, h, keepFocus, show} from "./dom.js";
import {failure, notice, toast} from "./parts.js";
import {apply, PlanChanged, planView, preview} from "./plan.js";
import {refresh} from "./details.js";

/* A field of a dialog: {name, label, type: "text" | "check", hint, value}. */
function control(one) {
	const input =
		one.type === "check"
			? h("input", {type: "checkbox", checked: Boolean(one.value)})
			: h("input", {
					type: "text",
					value: one.value ?? "",
					autocomplete: "off",
					spellcheck: "false",
					placeholder: one.placeholder,
				});
	input.dataset.testid = `field-${one.name}`;
	const row =
		one.type === "check"
			? h("label", {class: "check"}, input, h("span", {}, one.label))
			: field(one.label, input, one.hint);
	return {...one, input, row};
}

function bodyOf(controls, fixed) {
	const body = {...fixed};
	for (const {name, type, input} of controls) {
		if (type === "check" && input.checked) body[name] = true;
		else if (type !== "check" && input.value.trim() !== "") body[name] = input.value.trim();
	}
	return body;
}

class ActionDialog {
	/** title, words (what it does), method, path, body, fields, typed (what must be typed), label and tone of the
	 *  button, force (whether the call takes it), explain(data of the preview), said(answer) for the toast,
	 *  done(answer). */
	constructor(given) {
		Object.assign(this, {method: "POST", body: {}, force: true, ...given});
		this.seen = null;
		this.turn = 0;
		this.controls = (this.fields || []).map(control);
		this.build();
		const again = debounced(() => this.look(), 300);
		for (const {input} of this.controls)
			input.addEventListener("input", () => {
				this.seen = null;
				this.ready();
				again();
			});
	}

	build() {
		this.plan = h("div", {class: "plan-place", "aria-live": "polite"});
		this.error = h("div");
		this.reason = h("input", {
			type: "text",
			maxLength: 200,
			autocomplete: "off",
			placeholder: "for example CHG0012345",
			data: {testid: "reason"},
		});
		this.confirmation = h("input", {
			type: "text",
			autocomplete: "off",
			spellcheck: "false",
			data: {testid: "typed"},
			on: {input: () => this.ready()},
		});
		this.forced = h("input", {type: "checkbox", data: {testid: "force"}, on: {change: () => this.ready()}});
		this.forceRow = h("label", {class: "check", hidden: true}, this.forced, h("span", {}, "Force it all the same"));
		this.button = h(
			"button",
			{
				type: "submit",
				class: this.tone === "bad" ? "danger" : "primary",
				disabled: true,
				data: {testid: "apply"},
			},
			this.label || this.title,
		);
		const cancel = h(
			"button",
			{type: "button", data: {testid: "cancel"}, on: {click: () => this.element.close()}},
			"Cancel",
		);
		const form = h(
			"form",
			{
				on: {
					submit: (event) => {
						event.preventDefault();
						this.act();
					},
				},
			},
			h("h2", {id: "dialog-title"}, this.title),
			this.words ? h("p", {}, this.words) : null,
			this.controls.map(({row}) => row),
			this.plan,
			this.forceRow,
			field("Reason (shown in the events and revisions)", this.reason),
			this.typed ? field(`Type ${this.typed} to confirm`, this.confirmation) : null,
			this.error,
			h("div", {class: "buttons"}, cancel, this.button),
		);
		this.element = h(
			"dialog",
			{
				"aria-labelledby": "dialog-title",
				data: {testid: "dialog"},
				on: {
					close: () => {
						this.element.remove();
						keepFocus(); // the button that opened it may be gone
					},
				},
			},
			form,
		);
	}

	ready() {
		const confirmed = !this.typed || this.confirmation.value.trim() === this.typed;
		const allowed = !this.seen?.refusal || this.forced.checked;
		this.button.disabled = this.busy || !this.seen || !confirmed || !allowed;
	}

	put(answer) {
		this.seen = answer;
		this.forced.checked = false;
		fill(this.error);
		fill(
			this.plan,
			answer.refusal ? notice("bad", answer.refusal) : null,
			answer.data.plan ? planView(answer.data.plan) : null,
			answer.data.changed === false ? notice("info", "This changes nothing: it is so already.") : null,
			this.explain ? this.explain(answer.data) : null,
		);
		show(this.forceRow, Boolean(answer.refusal));
		this.ready();
	}

	async look() {
		const turn = ++this.turn;
		this.seen = null;
		this.ready();
		try {
			const answer = await preview(this.method, this.path, this.given());
			if (turn === this.turn) this.put(answer);
		} catch (error) {
			if (turn !== this.turn) return;
			fill(this.plan);
			show(this.forceRow, false);
			fill(this.error, failure(error));
		}
	}

	given() {
		const body = bodyOf(this.controls, this.body);
		return this.force ? body : Object.keys(body).length ? body : undefined;
	}

	async act() {
		if (this.button.disabled) return;
		this.busy = true;
		this.ready();
		try {
			const answer = await apply(this.method, this.path, this.given(), this.seen, this.reason.value.trim());
			this.element.close();
			toast(this.said ? this.said(answer) : `${this.title}: done (revision ${answer.revision}).`);
			refresh();
			this.done?.(answer);
		} catch (error) {
			if (!this.element.isConnected) toast(`${this.title}: not done. ${error.words || error.message}`, "bad");
			if (error instanceof PlanChanged) this.put(error.answer);
			fill(this.error, error instanceof PlanChanged ? notice("warn", error.message) : failure(error));
		}
		this.busy = false;
		this.ready();
	}

	open() {
		document.body.append(this.element);
		this.element.showModal();
		this.look();
	}
}

/** Opens a dialog for one change; see ActionDialog for what it takes. */
export function openAction(given) {
	new ActionDialog(given).open();
}

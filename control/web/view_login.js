// Login: a token is pasted and becomes a session cookie that scripts cannot read.
import {call} from "./api.js";
import {field, fill, h} from "./dom.js";
import {failure} from "./parts.js";

/** `done` is called when it has worked, `back` (if given) when it is not wanted; `why` says what has happened. */
export function loginView(done, {why, back}) {
	const token = h("input", {
		type: "password",
		autocomplete: "current-password",
		required: true,
		spellcheck: "false",
		data: {testid: "token"},
	});
	const error = h("div", {data: {testid: "login-error"}}, why ? h("p", {class: "notice warn"}, why) : null);
	const button = h("button", {type: "submit", class: "primary", data: {testid: "login"}}, "Log in");
	const submit = async (event) => {
		event.preventDefault();
		button.disabled = true;
		try {
			await call("POST", "/login", {body: {token: token.value.trim()}});
			token.value = "";
			await done();
		} catch (failed) {
			fill(error, failure(failed));
			token.select();
			token.focus();
		}
		button.disabled = false;
	};
	const element = h(
		"form",
		{class: "login", on: {submit}},
		h("img", {src: "/logo.svg", alt: "", width: 48, height: 48}),
		h("h1", {tabindex: "-1"}, "pointsman"),
		h("p", {class: "muted"}, "Edge load balancer for OpenShift clusters"),
		error,
		field("Token", token, [
			"The session lasts 12 hours. An administrator makes tokens: ",
			h("code", {}, "pointsman token create NAME --role viewer"),
		]),
		h("div", {class: "actions"}, button, back ? h("button", {type: "button", on: {click: back}}, "Back") : null),
	);
	return {title: "Log in", element, focus: token};
}

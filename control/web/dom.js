// Making and changing elements. Text only ever enters the document as a text node, never as markup: names come from
// clusters, and nobody vouches for them.

const NOT_ATTRIBUTES = new Set([
	"class",
	"data",
	"on",
	"value",
	"checked",
	"disabled",
	"hidden",
	"open",
	"indeterminate",
]);

function append(element, children) {
	for (const child of children.flat(Infinity)) {
		if (child === null || child === undefined || child === false) continue;
		element.append(child instanceof Node ? child : document.createTextNode(String(child)));
	}
}

/** An element: attributes, `class`, `data` (data-*), `on` (listeners), and children, which are nodes or text. */
export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === undefined || (value === false && !NOT_ATTRIBUTES.has(name))) continue;
		if (name === "class") element.className = value;
		else if (name === "data") Object.assign(element.dataset, value);
		else if (name === "on")
			for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
		else if (NOT_ATTRIBUTES.has(name)) element[name] = value;
		else element.setAttribute(name, value === true ? "" : value);
	}
	append(element, children);
	return element;
}

/** Sets the text of an element, without touching the document if it is that already. */
export function text(element, value) {
	const wanted = String(value);
	if (element.textContent !== wanted) element.textContent = wanted;
}

/** Replaces what is inside an element. */
export function fill(element, ...children) {
	element.replaceChildren();
	append(element, children);
	return element;
}

/** The heading of the view gets the keyboard, unless something has it. */
export function keepFocus() {
	if (document.activeElement === document.body) document.querySelector("main h1")?.focus({preventScroll: true});
}

/** As fill, where people act: the keyboard stays inside if it was there. */
export function refill(element, ...children) {
	const had = element.contains(document.activeElement);
	fill(element, ...children);
	if (!had) return;
	element.querySelector("button, input, a")?.focus();
	keepFocus();
}

function morphNode(old, fresh) {
	if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
	if (old.nodeType === Node.TEXT_NODE) {
		if (old.data !== fresh.data) old.data = fresh.data;
		return undefined;
	}
	for (const {name} of [...old.attributes])
		if (name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
	for (const {name, value} of fresh.attributes)
		if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
	if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
	return morph(old, ...fresh.childNodes);
}

/** Makes what is inside an element like `children`, changing only what differs: focus and selection stay. For children
 *  without listeners; those of kept elements are not replaced. */
export function morph(element, ...children) {
	const fresh = document.createDocumentFragment();
	append(fresh, children);
	const wanted = [...fresh.childNodes],
		present = [...element.childNodes];
	wanted.forEach((node, index) => (index < present.length ? morphNode(present[index], node) : element.append(node)));
	present.slice(wanted.length).forEach((node) => node.remove());
}

/** Shows or hides. */
export function show(element, visible) {
	if (element.hidden === visible) element.hidden = !visible;
}

let lastId = 0;

/** An id that no other element has. */
export function unique(prefix) {
	return `${prefix}-${++lastId}`;
}

/** A labelled field: the label, the control, and a hint below it. */
export function field(label, control, hint) {
	control.id ||= unique("field");
	const hintElement = hint ? h("span", {class: "hint", id: unique("hint")}, hint) : null;
	if (hintElement) control.setAttribute("aria-describedby", hintElement.id);
	return h("div", {class: "field"}, h("label", {for: control.id}, label), control, hintElement);
}

/** A select; `options` are texts or [value, text]. */
export function select(options, value, attributes = {}) {
	const element = h("select", attributes);
	for (const option of options) {
		const [key, label] = Array.isArray(option) ? option : [option, option];
		element.append(h("option", {value: key}, label));
	}
	element.value = value ?? "";
	return element;
}

/** Calls `action` once, when it has not been asked for during `ms`. `cancel` forgets it. */
export function debounced(action, ms) {
	let timer = 0;
	const call = (...given) => {
		clearTimeout(timer);
		timer = setTimeout(() => action(...given), ms);
	};
	call.cancel = () => clearTimeout(timer);
	return call;
}

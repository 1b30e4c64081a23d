// Owns: building elements without markup strings. Never: state, words. Used by: everything that draws.

export const $ = (selector, root = document) => root.querySelector(selector);
/** A copy of what index.html's <template id> holds. */
export const clone = (id) => document.importNode($(`template#${id}`).content, true);
/** Sets an attribute; null and false remove it. */
export function set(node, name, value) {
	if (value == null || value === false) node.removeAttribute(name);
	else if (node.getAttribute(name) !== `${value}`) node.setAttribute(name, value);
}
export function put(node, text) {
	if (node.textContent !== `${text}`) node.textContent = text;
}
/** el('p.note', {title: '…'}, 'text', node, null): an element with class, attributes and children. */
export function el(tag, props, ...children) {
	const [name, look] = tag.split('.');
	const node = document.createElement(name);
	for (const pair of Object.entries({ class: look, ...props })) set(node, ...pair);
	node.append(...children.filter(Boolean));
	return node;
}
export function setIcon(svg, name) {
	const use = svg.firstChild;
	set(use, 'href', use.getAttribute('href').replace(/#.*/, `#${name}`));
}
export const colour = (token) => getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();

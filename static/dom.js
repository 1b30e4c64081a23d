// Owns: building elements without markup strings. Never: state, words. Used by: everything that draws.
const ICONS = new URL('icons.svg', import.meta.url).pathname;

/** First match inside root. */
export const $ = (selector, root = document) => root.querySelector(selector);
/** Sets an attribute; null and false remove it. */
export function set(node, name, value) {
	if (value == null || value === false) node.removeAttribute(name);
	else if (node.getAttribute(name) !== `${value}`) node.setAttribute(name, value);
}
/** Changes a text only when it differs. */
export function put(node, text) {
	if (node.textContent !== text) node.textContent = text;
}
/** el('p.note', {title: '…', onclick: fn}, 'text', node, null): attributes, listeners, children. */
export function el(tag, props, ...children) {
	const [name, ...classes] = tag.split('.');
	const node = document.createElement(name);
	if (classes.length) node.className = classes.join(' ');
	for (const [key, value] of Object.entries(props || {})) {
		if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
		else set(node, key, value);
	}
	node.append(...children.filter(Boolean));
	return node;
}
/** One icon of the sprite, hidden from screen readers. */
export function icon(name) {
	const [svg, use] = ['svg', 'use'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
	svg.append(use);
	set(svg, 'class', 'icon');
	set(svg, 'aria-hidden', 'true');
	return setIcon(svg, name);
}
/** Points an icon at another drawing. */
export function setIcon(svg, name) {
	set(svg.firstChild, 'href', `${ICONS}#${name}`);
	return svg;
}
/** A button: look (filled, tint, outline, quiet, bare), icon and label or null, action. */
export const button = (look, iconName, label, onclick, props) => el(`button.btn.${look}`, { type: 'button', onclick, ...props }, iconName && icon(iconName), label && el('span', null, label));

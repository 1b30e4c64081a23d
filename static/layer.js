// Owns: what floats over or stands above the page: banner, toast, dialogs, menu. Never: what they mean. Used by: session, target, row, views.
import { $, put, set, setIcon } from './dom.js';
import { copied } from './words.js';

/** Shows the banner {key, icon, text, action?, onclick?}, or none; `key` is its look. */
export function banner(spec) {
	const place = $('#banner');
	if (!spec && place.contains(document.activeElement)) $('#page:not([hidden]) h1, #convert:not([hidden]) h1')?.focus();
	place.hidden = !spec;
	if (!spec) return;
	const [icon, text, button] = place.children;
	place.className = `banner ${spec.key}`;
	setIcon(icon, spec.icon);
	put(text, spec.text);
	put(button, spec.action || '');
	button.onclick = spec.onclick;
}

let endToast = () => {};
export const settleToast = () => endToast();
/** One line for 6 s, longer while pointed at or focused; onend(acted) is called once. */
export function toast(text, action, onend) {
	endToast();
	const box = $('.toast');
	const [line, button] = box.children;
	const opener = document.activeElement;
	const timer = setInterval(() => box.matches(':hover, :focus-within') || endToast(), 6000);
	endToast = (acted) => {
		clearInterval(timer);
		endToast = () => {};
		if (box.contains(document.activeElement)) opener.focus();
		box.hidden = true;
		onend?.(acted === true);
	};
	put(line, text);
	put(button, action || '');
	button.onclick = () => endToast(true);
	box.onkeydown = ({ key }) => { if (key === 'Escape') endToast(); };
	box.hidden = false;
}

/** Opens one of the page's dialogs; resolves with the value of the button that closed it. */
export function ask(id) {
	const box = $(`dialog#${id}`);
	box.returnValue = '';
	box.onclick = ({ target }) => { if (target === box) box.close(''); };
	box.showModal();
	return new Promise((resolve) => { box.onclose = () => resolve(box.returnValue); });
}
/** Shows a server object in full, below the library's own last lines. */
export function details(object, lines) {
	const [, code, button] = $('#details').children;
	put(code, `${lines ? `${lines}\n\n` : ''}${JSON.stringify(object, null, 2)}`);
	button.onclick = () => copy(code.textContent, copied.text, code);
	ask('details');
}
const items = $('#menu');
let opener; // the menu's button; it is open while focus is in it
const leave = () => { opener.focus(); items.hidden = true; };
items.onclick = leave;
items.onkeydown = (event) => {
	const all = [...items.children].filter(({ hidden }) => !hidden);
	const at = all.indexOf(document.activeElement);
	const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
	if (/Escape|Tab/.test(event.key)) leave();
	if (to == null) return;
	event.preventDefault();
	all.at(to % all.length).focus();
};
items.addEventListener('focusout', ({ relatedTarget }) => {
	if (items.contains(relatedTarget)) return;
	items.hidden = true;
	set(opener, 'aria-expanded', 'false');
});
/** Opens the menu at a button, with the named items. */
export function menu(button, names) {
	opener = button;
	for (const item of items.children) item.hidden = !names.includes(item.dataset.act);
	items.hidden = false;
	set(opener, 'aria-expanded', 'true');
	const { offsetWidth: wide, offsetHeight: tall } = items;
	const at = opener.getBoundingClientRect();
	const start = getComputedStyle(items).direction === 'rtl' ? at.left : at.right - wide;
	items.style.setProperty('left', `${Math.max(8, Math.min(innerWidth - wide - 8, start))}px`);
	items.style.setProperty('top', `${at.bottom + tall + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - tall - 4)}px`);
	$('button:not([hidden])', items).focus();
}

/** Copies a text; where that is not allowed, selects it in `place` or shows it. */
export async function copy(text, done, place) {
	try {
		await navigator.clipboard.writeText(text);
		toast(done);
	} catch {
		if (place) getSelection().selectAllChildren(place);
		toast(place ? copied.marked : text);
	}
}

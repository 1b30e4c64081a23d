// Owns: what floats over or stands above the page: banner, toast, dialog, menu. Never: what they mean. Used by: session, target, row, views.
import { $, button, el, icon, put } from './dom.js';
import { act, copied } from './words.js';

let shown;
/** Shows one banner {key, icon, text, action?, filled?, onclick?} or, for null, none; the same key changes only the text. */
export function banner(spec) {
	const place = $('#banner');
	place.hidden = !spec;
	if (spec && shown === spec.key) put($('p', place), spec.text);
	else if (spec) {
		place.className = `banner ${spec.key}`;
		place.replaceChildren(icon(spec.icon), el('p', null, spec.text), spec.action ? button(spec.filled ? 'filled' : 'outline', null, spec.action, spec.onclick) : '');
	}
	shown = spec?.key;
}

let endToast = () => {};
/** Ends a toast that is still shown, as if its time had passed. */
export const settleToast = () => endToast();
/** One line with an optional action for 6 s, longer while pointed at or focused; onend(acted) is called once. */
export function toast(text, action, onend) {
	settleToast();
	const opener = document.activeElement;
	const end = (acted) => {
		clearInterval(timer);
		endToast = () => {};
		if (box.contains(document.activeElement)) opener.focus();
		box.remove();
		onend?.(acted === true);
	};
	const timer = setInterval(() => box.matches(':hover, :focus-within') || end(), 6000);
	const box = el('div.toast', { role: 'status', onkeydown: ({ key }) => key === 'Escape' && end() }, el('p', null, text), action && button('quiet', null, action, () => end(true)));
	$('#toasts').replaceChildren(box);
	endToast = end;
}

/** A native dialog with buttons {label, look, value}, focus on the last, safe one; resolves with the chosen value or ''. A sheet has Done on top. */
export function dialog(title, body, actions, sheet) {
	const opener = document.activeElement;
	const key = ({ label, look, value = '' }) => button(look || 'outline', null, label, () => box.close(value));
	const heading = el('h2', { id: 'dialog-title' }, title);
	const box = el('dialog', { 'aria-labelledby': 'dialog-title', class: sheet && 'sheet', onclick: ({ target }) => target === box && box.close('') },
		sheet ? el('div.sheet-top', null, heading, key({ label: act.done, look: 'quiet' })) : heading, body, actions && el('div.keys', null, ...actions.map(key)));
	document.body.append(box);
	box.showModal();
	if (actions) $('.keys', box).lastChild.focus();
	return new Promise((resolve) => {
		box.onclose = () => {
			box.remove();
			opener.focus({ preventScroll: true });
			resolve(box.returnValue);
		};
	});
}
/** Shows a server object in full, below the library's own last lines. */
export function details(object, lines) {
	const text = [lines, JSON.stringify(object, null, 2)].filter(Boolean).join('\n\n');
	const code = el('pre', { tabindex: 0 }, text);
	dialog(act.details, el('div', null, code, button('quiet', 'copy', act.copy, () => copy(text, copied.text, code))), [{ label: act.close }]);
}

/** A menu at a button; items: {icon, label, href? or run?, danger?}. */
export function menu(opener, items) {
	const close = () => { box.hidePopover(); opener.focus(); };
	const box = el('div.menu', {
		role: 'menu', popover: 'auto', ontoggle: ({ newState }) => newState === 'closed' && (opener.ariaExpanded = 'false', box.remove()),
		onkeydown: (event) => {
			const all = [...box.children];
			const at = all.indexOf(document.activeElement);
			const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
			if (event.key === 'Tab') close();
			if (to == null) return;
			event.preventDefault();
			all.at(to % all.length).focus();
		},
	}, ...items.filter(Boolean).map(({ icon: name, label, href, run, danger }) => el(href ? 'a' : 'button', { role: 'menuitem', href, class: danger && 'danger', onclick: () => { close(); run?.(); } }, icon(name), label)));
	$('main').append(box);
	box.showPopover();
	opener.ariaExpanded = 'true';
	const at = opener.getBoundingClientRect();
	const start = getComputedStyle(box).direction === 'rtl' ? at.left : at.right - box.offsetWidth;
	box.style.setProperty('left', `${Math.max(8, Math.min(innerWidth - box.offsetWidth - 8, start))}px`);
	box.style.setProperty('top', `${at.bottom + box.offsetHeight + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - box.offsetHeight - 4)}px`);
	box.firstChild.focus();
}

/** Copies a text and says so; where copying is not allowed, selects it in `place` or shows it. */
export async function copy(text, done, place) {
	try {
		await navigator.clipboard.writeText(text);
		toast(done);
	} catch {
		if (place) getSelection().selectAllChildren(place);
		toast(place ? copied.marked : text);
	}
}

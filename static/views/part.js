// Owns: the frame of the account and admin pages: heading, tabs, fetch and retry. Never: what is in a part. Used by: views/account, views/admin.
import { send } from '../api.js';
import { safeName } from '../names.js';
import { onHold } from '../session.js';
import { $, el, put, set } from '../dom.js';
import { explain } from '../format.js';
import { ask, toast } from '../layer.js';
import { setTitle } from '../signal.js';
import { again, parts } from './words.js';

const PATHS = { account: '/upload/account', keys: '/upload/account/keys', sessions: '/upload/account/sessions', usage: '/upload/account/usage', audit: '/upload/admin/audit', users: '/upload/admin/users' };

export const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
export const day = (iso, timeZone) => new Date(iso).toLocaleDateString([], { dateStyle: 'long', timeZone });
export const button = (text, onclick, look = 'outline') => {
	const node = el(`button.btn ${look}`, { type: 'button' }, text);
	node.onclick = onclick;
	return node;
};
export const field = (label, node) => el('label.field', null, el('span', null, label), node);
/** A select in its frame. */
export const choice = (name, texts) => el('span.select', null, el('select', { name }, ...Object.entries(texts).map(([value, text]) => el('option', { value }, text))));
/** A line of a list: head, facts below it, what can be done; each act is named after its line. */
export function item(head, facts, ...acts) {
	const name = safeName(head);
	for (const act of acts) if (act?.matches?.('button')) set(act, 'aria-label', `${act.textContent} ${name}`);
	return el('li', null, el('div', null, el('b', null, el('bdi', { dir: 'auto' }, name)), el('p', null, facts)), ...acts);
}
/** Asks once, naming what would go; true when it shall. */
export async function sure(title, text, yes) {
	const [head, line, form] = $('#sure').children;
	put(head, title);
	put(line, text);
	put(form.firstElementChild, yes);
	return await ask('sure') === 'yes';
}
/** Draws a list anew; who was at a line of it stays there. */
export async function redraw(list, draw) {
	const at = [...list.children].findIndex((line) => line.contains(document.activeElement));
	await draw().catch(complain);
	if (at < 0 && document.activeElement !== document.body) return;
	const line = list.children[Math.min(at, list.children.length - 1)];
	(line?.querySelector('button, select') || $('#page h1')).focus();
}
let busy; // one thing at a time: what is pressed twice is done once
let redo; // fetches a view again that failed
onHold((why) => why || redo?.());
/** Does it, and says what came of it: what went wrong stays to be read. False when it was refused. */
export async function attempt(work, said) {
	if (busy) return false;
	busy = true;
	complain();
	try {
		const done = await work();
		if (said) toast(said);
		return done ?? true;
	} catch (error) {
		complain(error);
		return false;
	} finally {
		busy = false;
	}
}
export function complain(error) {
	const note = $('#page .wrong');
	if (!note) return;
	const { head, text } = error ? explain(error) : {};
	note.replaceChildren(...(error ? [el('b', null, head), ' ', text] : []));
	note.hidden = !error;
	if (error) note.scrollIntoView({ block: 'nearest' });
}

/** Shows a part: its frame at once, then what `draw(place, me)` makes of it. */
export async function frame(part, place, draw) {
	const heading = el('h1', { tabindex: -1 }, parts[part]);
	const tabs = el('nav.tabs', { 'aria-label': parts.account });
	const body = el('div.parts');
	const held = place.contains(document.activeElement);
	place.replaceChildren(heading, tabs, el('p.note bad wrong', { role: 'alert', hidden: true }), body);
	if (held) heading.focus({ preventScroll: true });
	setTitle(parts[part]);
	const isShown = () => place.contains(body);
	const fill = async () => {
		redo = null;
		try {
			const me = await send('GET', '/me');
			const seen = Object.keys(PATHS).filter((name) => me.role === 'admin' || !PATHS[name].includes('/admin'));
			tabs.replaceChildren(...seen.map((name) => el('a', { href: PATHS[name], 'aria-current': name === part && 'page' }, parts[name])));
			body.replaceChildren();
			await draw(body, me);
		} catch (error) {
			if (!isShown()) return;
			redo = () => isShown() && fill();
			const { head, text } = explain(error);
			body.replaceChildren(el('section.card', null, el('p.note bad', null, el('b', null, head), ' ', text), button(again, fill)));
		}
	};
	set(body, 'aria-busy', 'true');
	await fill();
	set(body, 'aria-busy', null);
	return $('h1', place);
}

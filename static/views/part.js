// Owns: the frame of the account and admin pages: heading, tabs, fetch and retry. Never: what is in a part. Used by: views/account, views/admin.
import { send } from '../api.js';
import { $, el, set } from '../dom.js';
import { explain } from '../format.js';
import { toast } from '../layer.js';
import { setTitle } from '../signal.js';
import { again, parts } from './words.js';

const PATHS = { account: '/upload/account', keys: '/upload/account/keys', sessions: '/upload/account/sessions', usage: '/upload/account/usage', audit: '/upload/admin/audit', users: '/upload/admin/users' };

export const when = (iso) => new Date(iso).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
export const day = (iso) => new Date(iso).toLocaleDateString([], { dateStyle: 'long' });
export const button = (text, onclick, look = 'outline') => {
	const node = el(`button.btn ${look}`, { type: 'button' }, text);
	node.onclick = onclick;
	return node;
};
export const field = (label, node) => el('label.field', null, el('span', null, label), node);
/** A select in its frame. */
export const choice = (name, texts) => el('span.select', null, el('select', { name }, ...Object.entries(texts).map(([value, text]) => el('option', { value }, text))));
/** A line of a list: head, facts below it, what can be done. */
export const item = (head, facts, ...acts) => el('li', null, el('div', null, el('b', null, head), el('p', null, facts)), ...acts);
/** Does it, and says what came of it; false when it was refused. */
export async function attempt(work, said) {
	try {
		const done = await work();
		if (said) toast(said);
		return done ?? true;
	} catch (error) {
		const { head, text } = explain(error);
		toast(text || head);
		return false;
	}
}

/** Shows a part: its frame at once, then what `draw(place, me)` makes of it. */
export async function frame(part, place, draw) {
	const heading = el('h1', { tabindex: -1 }, parts[part]);
	const tabs = el('nav.tabs', { 'aria-label': parts.account });
	const body = el('div.parts');
	const held = place.contains(document.activeElement);
	place.replaceChildren(heading, tabs, body);
	if (held) heading.focus({ preventScroll: true });
	setTitle(parts[part]);
	const fill = async () => {
		try {
			const me = await send('GET', '/me');
			const seen = Object.keys(PATHS).filter((name) => me.role === 'admin' || !PATHS[name].includes('/admin'));
			tabs.replaceChildren(...seen.map((name) => el('a', { href: PATHS[name], 'aria-current': name === part && 'page' }, parts[name])));
			body.replaceChildren();
			await draw(body, me);
		} catch (error) {
			const { head, text } = explain(error);
			body.replaceChildren(el('section.card', null, el('p.note bad', null, el('b', null, head), ' ', text), button(again, fill)));
		}
	};
	set(body, 'aria-busy', 'true');
	await fill();
	set(body, 'aria-busy', null);
	return $('h1', place);
}

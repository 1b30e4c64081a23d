// Owns: what admins see: the audit log, accounts. Never: jobs. Used by: main.
import { forget, send } from '../api.js';
import { el, set } from '../dom.js';
import { line } from '../format.js';
import { admin as said } from './words.js';
import { attempt, button, choice, field, frame, item, when } from './part.js';

export const hide = () => {};
export const show = (part, place) => frame(part, place, DRAW[part]);

async function audit(place) {
	const [chain, list] = [el('p.chain'), el('ul')];
	let before;
	const actor = el('input', { name: 'actor', type: 'search' });
	const form = el('form.inline', { role: 'search' }, field(said.actor, actor), el('button.btn outline', null, said.filter));
	const older = button(said.older, () => more());
	async function more() {
		const query = new URLSearchParams({ limit: 50, ...(before ? { before } : { check: true }), ...(actor.value && { actor: actor.value }) });
		const answer = await send('GET', `/audit?${query}`);
		if (answer.chain) {
			const { whole, entries, broken_at: at } = answer.chain;
			chain.textContent = whole ? said.whole(entries) : said.broken(at);
			chain.className = whole ? 'chain' : 'chain note bad';
		}
		list.append(...answer.entries.map((entry) => item(line([entry.action, entry.target]), line([when(entry.timestamp), entry.actor, entry.method, entry.address, entry.outcome]))));
		if (!list.children.length) list.append(el('li', null, said.none));
		before = answer.next_before;
		older.hidden = !before;
	}
	form.onsubmit = (event) => {
		event.preventDefault();
		list.replaceChildren();
		before = null;
		attempt(more);
	};
	place.append(el('section.card', null, chain, form, list, el('div.keys', null, older)));
	await more();
}

async function users(place) {
	const list = el('ul');
	place.append(el('section.card', null, list));
	async function draw() {
		forget('/users');
		const { users: all } = await send('GET', '/users');
		list.replaceChildren(...all.map(({ id, email, role, plan, created_at: since, disabled_at: shut }) => {
			const change = async (what) => { await attempt(() => send('PATCH', `/users/${id}`, what)); draw(); };
			const pick = (name, label, value, texts) => {
				const whole = choice(name, { [value]: value, ...texts });
				const node = whole.firstChild;
				set(node, 'aria-label', `${label} ${email}`);
				node.value = value;
				node.onchange = () => change({ [name]: node.value });
				return whole;
			};
			return item(email, line([when(since), shut && said.disabled]), pick('role', said.role, role, { user: 'user', admin: 'admin' }), pick('plan', said.plan, plan, { free: 'free', pro: 'pro', enterprise: 'enterprise' }), button(shut ? said.open : said.shut, () => change({ disabled: !shut }), 'quiet'));
		}));
	}
	await draw();
}

const DRAW = { audit, users };

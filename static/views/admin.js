// Owns: what admins see: the audit log, accounts. Never: jobs. Used by: main.
import { forget, send } from '../api.js';
import { el, set } from '../dom.js';
import { line } from '../format.js';
import { admin as said } from './words.js';
import { attempt, button, choice, complain, field, frame, item, redraw, sure, when } from './part.js';

export const hide = () => {};
export const show = (part, place) => frame(part, place, DRAW[part]);

async function audit(place) {
	const [chain, list] = [el('p.chain'), el('ul')];
	let before;
	const known = el('datalist', { id: 'actions' });
	const form = el('form.inline', { role: 'search' }, field(said.actor, el('input', { name: 'actor', type: 'search' })), field(said.action, el('input', { name: 'action', type: 'search', list: 'actions' })), known, el('button.btn outline', null, said.filter));
	const older = button(said.older, () => attempt(more));
	const names = new Set();
	let filter = {};
	const queryFor = (more) => new URLSearchParams({ ...more, ...filter });
	/** Saves what the filter shows, all of it, a line of JSON an entry. */
	async function save() {
		const lines = [];
		const kept = filter;
		let next;
		do {
			const path = `/audit?${new URLSearchParams({ limit: 500, ...kept, ...(next && { before: next }) })}`;
			const answer = await send('GET', path);
			forget(path);
			lines.push(...answer.entries.map((entry) => `${JSON.stringify(entry)}\n`));
			next = answer.next_before;
		} while (next && place.isConnected);
		if (!place.isConnected) return;
		const link = el('a', { href: URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' })), download: 'audit.jsonl' });
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 60000);
	}
	async function more() {
		const answer = await send('GET', `/audit?${queryFor({ limit: 50, ...(before ? { before } : { check: true }) })}`);
		if (answer.chain) {
			const { whole, entries, broken_at: at } = answer.chain;
			const { whole: usageWhole, broken_at: usageAt } = answer.usage_chain;
			chain.textContent = whole && usageWhole ? said.whole(entries) : whole ? said.usage(usageAt) : said.broken(at);
			chain.className = whole && usageWhole ? 'chain' : 'chain note bad';
			list.replaceChildren();
		}
		list.append(...answer.entries.map((entry) => item(line([entry.action, entry.target]), line([when(entry.timestamp), entry.actor, entry.method, entry.address, entry.outcome, ...Object.entries(entry.detail || {}).filter(([, value]) => value != null).map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)]))));
		for (const entry of answer.entries) names.add(entry.action);
		known.replaceChildren(...[...names].sort().map((value) => el('option', { value })));
		if (!list.children.length) list.append(el('li', null, said.none));
		before = answer.next_before;
		older.hidden = !before;
	}
	form.onsubmit = (event) => {
		event.preventDefault();
		before = null;
		filter = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
		attempt(more);
	};
	// Beside everything else: it takes its time.
	const saving = button(said.save, async () => {
		saving.disabled = true;
		await save().catch(complain);
		saving.disabled = false;
	}, 'quiet');
	place.append(el('section.card', null, chain, form, list, el('div.keys', null, older, saving)));
	await more();
}

async function users(place) {
	const list = el('ul');
	place.append(el('section.card', null, list));
	async function draw() {
		forget('/users');
		const { users: all, plans } = await send('GET', '/users');
		list.replaceChildren(...all.map(({ id, email, role, plan, created_at: since, disabled_at: shut }) => {
			const change = async (what) => { await attempt(() => send('PATCH', `/users/${id}`, what)); redraw(list, draw); };
			const pick = (name, label, value, texts) => {
				const whole = choice(name, { [value]: value, ...texts });
				const node = whole.firstChild;
				set(node, 'aria-label', `${label} ${email}`);
				node.value = value;
				// Arrow keys go through every choice on their way; the one that is stayed at counts.
				const settle = () => { clearTimeout(timer); if (node.value !== value) change({ [name]: node.value }); };
				let timer;
				node.onchange = () => { clearTimeout(timer); timer = setTimeout(settle, 800); };
				node.onblur = settle;
				return whole;
			};
			return item(email, line([when(since), shut && said.disabled]), pick('role', said.role, role, { user: 'user', admin: 'admin' }), pick('plan', said.plan, plan, Object.fromEntries(plans.map((name) => [name, name]))), button(shut ? said.open : said.shut, async () => (shut || await sure(said.sure(email), said.shutOut, said.shut)) && change({ disabled: !shut }), 'quiet'));
		}));
	}
	await draw();
}

const DRAW = { audit, users };

// Owns: news of jobs by polling, and asking for their end or a new try. Never: DOM. Used by: views.
import { forget, send } from './api.js';
import { bind, blocked } from './session.js';
import { adopt, change, isHere, isOver, restore, rows } from './store.js';

let single = null; // {id, listener} of an open job page
let follows = false;
let listed = null; // ids in the server's last list
let timer;
let busy = false;

/** Follows the sitting's rows; the first answer restores them. */
export function watchList() {
	follows = true;
	nudge();
}
/** Follows one job: listener(job or null, error); null stops. */
export function watchJob(id, listener) {
	single = id && { id, listener };
	forget(`/jobs/${id}`);
	nudge();
}
/** Asks soon instead of at the next turn. */
export function nudge() {
	clearTimeout(timer);
	timer = setTimeout(turn, 30);
}
document.addEventListener('visibilitychange', nudge);

async function turn() {
	if (!busy && !['signin', 'offline', 'away'].includes(blocked())) {
		busy = true;
		try {
			if (follows) await askList();
			if (single) await ask(single.id, single.listener);
		} catch { /* session has been told */ }
		busy = false;
	}
	const open = rows.filter((row) => row.job && !isOver(row));
	const fast = single || open.some(({ phase }) => phase === 'processing');
	clearTimeout(timer);
	timer = setTimeout(turn, document.hidden ? 5000 : fast ? 400 : open.length || blocked() ? 1000 : 15000);
}
async function askList() {
	const asked = rows.filter((row) => row.job && !isOver(row));
	const answer = await send('GET', '/jobs?limit=100', { fresh: true });
	if (answer) {
		if (answer.jobs[0]) bind(answer.jobs[0].owner);
		if (!listed) restore(answer.jobs);
		listed = new Map(answer.jobs.map((job) => [job.id, job]));
	}
	// Also when nothing is new: a row may have learned its id after the list had it finished.
	for (const row of rows) {
		const job = listed.get(row.job?.id);
		if (job && job !== row.job && !(isOver(row) && job.status === row.job.status)) adopt(row, job);
	}
	for (const row of asked) {
		if (!listed.has(row.job.id)) await ask(row.job.id, (job) => (job ? adopt(row, job) : change(row, { phase: 'deleted' })));
	}
}
async function ask(id, listener) {
	try {
		const job = await send('GET', `/jobs/${id}`, { fresh: true });
		if (job) listener(job);
	} catch (error) {
		if (![403, 404, 410].includes(error.status)) throw error;
		listener(null, error);
	}
}

/** Asks 'cancel' or 'retry' of a row's job; the row takes over the answer. Resolves with the error when the server refuses. */
export async function tell(row, verb) {
	try {
		adopt(row, await send('POST', `/jobs/${row.job.id}/${verb}`));
		return null;
	} catch (error) {
		return error;
	} finally {
		nudge();
	}
}
/** Deletes a job and its files, also while the page is being left. */
export const deleteJob = (id) => send('DELETE', `/jobs/${id}`, { keepalive: true }).catch(() => {});

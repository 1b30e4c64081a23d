// Owns: news of jobs by polling, and asking for their end or a new try. Never: DOM. Used by: views.
import { forget, send } from './api.js';
import { blocked, release } from './session.js';
import { adopt, change, isOver, restore, rows } from './store.js';

let single; // [id, listener] of an open job page
let restored;
let timer;
let busy;

/** Follows one job: listener(job or null, error); no id stops. */
export function watchJob(id, listener) {
	single = id && [id, listener];
	forget(`/jobs/${id}`);
	nudge();
}
export function nudge() {
	clearTimeout(timer);
	timer = setTimeout(turn, 30);
}
document.addEventListener('visibilitychange', nudge);

/** Asks for the list and the open job page; the first answer restores the rows. */
async function turn() {
	let job;
	if (!busy && !/signin|other|offline|away/.test(blocked())) {
		busy = true;
		try {
			await askList();
			if (single) job = await ask(...single);
		} catch { /* session has been told */ }
		busy = false;
	}
	const open = running();
	const fast = (job && !isOver({ phase: job.status })) || open.some(({ phase }) => phase === 'processing');
	clearTimeout(timer);
	timer = setTimeout(turn, document.hidden ? 5000 : fast ? 400 : open.length || (blocked() && blocked() !== 'plan') ? 1000 : 15000);
}
const running = () => rows.filter((row) => row.job && !isOver(row));
async function askList() {
	const asked = rows.filter(({ job, phase }) => job && phase !== 'deleted');
	const { jobs, total } = await send('GET', '/jobs?limit=100');
	if (!restored) await send('GET', '/me'); // whose tab this is
	if (!restored) restore(jobs);
	restored = true;
	const listed = new Map(jobs.map((job) => [job.id, job]));
	for (const row of rows) {
		const job = listed.get(row.job?.id);
		if (job && job !== row.job && !(isOver(row) && job.status === row.job.status)) adopt(row, job);
	}
	for (const row of asked) {
		// What has ended is looked for only when the list is whole.
		if (row.job && !listed.has(row.job.id) && !(isOver(row) && total > jobs.length)) await ask(row.job.id, (job) => (job ? adopt(row, job) : change(row, { phase: 'deleted' })));
	}
}
async function ask(id, listener) {
	try {
		const job = await send('GET', `/jobs/${id}`);
		listener(job);
		return job;
	} catch (error) {
		if (![403, 404, 410].includes(error.status)) throw error;
		return listener(null, error);
	}
}

/** Asks 'cancel' or 'retry' of a row's job; resolves with an error when refused. */
export async function tell(row, verb) {
	try {
		adopt(row, await send('POST', `/jobs/${row.job.id}/${verb}`));
		if (verb === 'cancel') release('plan');
		return null;
	} catch (error) {
		return error;
	} finally {
		nudge();
	}
}
/** Deletes a job; what waited for room in the plan goes on. */
export const deleteJob = (id) => send('DELETE', `/jobs/${id}`).then(() => release('plan'), () => {});

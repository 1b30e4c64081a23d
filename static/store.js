// Owns: the rows of this sitting and who wants to hear of them. Never: DOM, requests. Used by: row, upload, watch, views.
import { recall, remember } from './memory.js';

/**
 * Newest batch first. A row: {batch, file?, name, bytes, target?, sent, rate?, job?, error?, attempt, recent?, phase}.
 * phase: line, sending, storing, queued, processing, done, failed, cancelled, deleted.
 */
export const rows = [];
const listeners = [];
let batches = 0;
const SITTING = 12 * 36e5; // ms a finished row comes back after a reload

/** listener(row): the changed row, or none when rows came or went. */
export const subscribe = (listener) => listeners.push(listener);
const tell = (row) => listeners.forEach((listener) => listener(row));
export const isOver = ({ phase }) => /done|failed|cancelled|deleted/.test(phase);
export const isHere = ({ phase }) => /line|sending|storing/.test(phase);
const keep = () => remember('list', rows.filter((row) => row.job && !row.recent).map((row) => row.job.id).slice(0, 200));
function moved() {
	tell();
	keep();
}

/** Adds one batch of partial rows on top; rows of earlier sittings make room. */
export function add(entries) {
	batches += 1;
	const kept = rows.filter(({ recent }) => !recent);
	rows.splice(0, Infinity, ...entries.map((entry) => ({ batch: batches, phase: 'line', sent: 0, attempt: 0, ...entry })), ...kept);
	moved();
}
export function change(row, patch) {
	Object.assign(row, patch);
	if (rows.includes(row)) tell(row);
}
export function remove(row) {
	const at = rows.indexOf(row);
	rows.splice(at, 1);
	moved();
	return at;
}
export function putBack(row, at) {
	rows.splice(at, 0, row);
	moved();
}
export function adopt(row, job) {
	const fresh = row.job?.id !== job.id;
	change(row, { job, phase: job.status === 'receiving' ? 'queued' : job.status, error: job.error });
	if (fresh) keep();
}
/** Fills the sitting from the server's list: what was in it, what runs, else three finished ones. */
export function restore(jobs) {
	const kept = recall('list', []);
	const known = rows.map((row) => row.job?.id);
	const mine = jobs.filter(({ id, status, completed_at: end }) => !known.includes(id) && (!isOver({ phase: status }) || (kept.includes(id) && Date.now() - Date.parse(end) < SITTING)));
	const recent = !mine.length && !rows.length;
	const found = recent ? jobs.filter(({ status }) => status === 'done').slice(0, 3) : mine.sort((a, b) => kept.indexOf(a.id) - kept.indexOf(b.id));
	for (const job of found) {
		rows.push({ batch: 0, name: job.input.filename, bytes: job.input.bytes, sent: 0, attempt: 0, recent });
		adopt(rows.at(-1), job);
	}
	moved();
}

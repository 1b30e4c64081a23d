// Owns: the page of one job. Never: the list. Used by: main.
import { curlFor } from '../curl.js';
import { $, button, el, icon, put } from '../dom.js';
import { clock, explain, left, percent, size } from '../format.js';
import { copy, details, toast } from '../layer.js';
import { safeName } from '../names.js';
import { Track } from '../player.js';
import { fieldsOf, formatOf, labelOf, made, targetFrom } from '../target.js';
import { deleteJob, nudge, tell, watchJob } from '../watch.js';
import { Wave } from '../wave.js';
import { act, copied, job as words, list, row as rows, stage, state } from '../words.js';

let wave;
let track;
function clean() {
	track?.free();
	wave?.free();
	track = wave = null;
}
/** Leaves the page. */
export function hide() {
	watchJob(null);
	clean();
}
/** Shows a job in `place`; `go` changes the page's address. */
export function show(id, place, go) {
	let drawn;
	const heading = el('h1', { tabindex: -1 }, words.title);
	place.replaceChildren(heading);
	watchJob(id, (job, error) => {
		const key = job ? job.status + job.input.container : error.status;
		if (key !== drawn && job) build(job);
		else if (key !== drawn) place.replaceChildren(heading, el('p', null, error.status === 403 ? words.other : words.none), el('p', null, el('a', { href: '/upload' }, words.back)));
		drawn = key;
		if (job) move(job);
	});

	function build(job) {
		clean();
		const { output, error, input } = job;
		const held = document.activeElement === heading;
		const name = safeName(output?.filename || input.filename);
		const frame = el('div.frame', null, el('canvas', { 'aria-hidden': 'true' }));
		let lead = el('span.lead', null, icon({ failed: 'warn', processing: 'mill', cancelled: 'x' }[job.status] || 'clock'));
		wave = new Wave(frame.firstChild);
		if (output) {
			const whole = clock(output.duration_seconds || 0);
			track = new Track({
				wave, frame, url: `/download/${id}`, name, seconds: output.duration_seconds || 1, mime: formatOf(job.options.format)?.mime_type || 'audio/mpeg', onfail: toast,
				onchange: (at) => put(now, at ? rows.of(at, whole) : whole),
			});
			({ lead } = track);
		}
		const told = error && explain(error);
		const again = async (verb) => { const refused = await tell({ job }, verb); if (refused) toast(explain(refused).head); nudge(); };
		const remove = () => {
			go('/upload');
			toast(list.deleted(name), act.undo, (acted) => (acted ? go(`/upload/jobs/${id}`) : deleteJob(id)));
		};
		const side = (title, of, head) => el('div', null, el('h2', null, title), el('p', null, head.join(' ')), ...[
			[of?.sample_rate && `${of.sample_rate / 1000}\xa0kHz`, of?.channels && words.channels(of.channels)].filter(Boolean).join(' '),
			[of?.duration_seconds && clock(of.duration_seconds), of?.bytes && size(of.bytes)].filter(Boolean).join(' · '),
		].map((text) => text && el('p', null, text)));
		const command = el('code', { tabindex: 0 }, curlFor(fieldsOf(targetFrom(job.options)), input.filename));
		const took = job.completed_at && job.started_at && words.took(`${((Date.parse(job.completed_at) - Date.parse(job.started_at)) / 1000).toFixed(1)}\xa0s`);
		heading.replaceChildren(el('bdi', { dir: 'auto' }, name));
		place.replaceChildren(heading,
			el('section.card.big', { 'data-phase': job.status }, lead, frame, now, told && el('p.note.bad', null, el('b', null, told.head), ` ${told.text}`)),
			el('section.card.pair', null,
				side(words.from, input, [labelOf(input.container), input.codec !== input.container ? input.codec : '']),
				side(words.to, output, output ? made(job) : [labelOf(job.options.format)])),
			el('div.keys', null,
				output && el('a.btn.filled', { href: `/download/${id}`, download: '' }, icon('down'), el('span', null, `${act.download} · ${size(output.bytes)}`)),
				told?.way === 'again' && button('filled', 'retry', act.again, () => again('retry')),
				/queued|processing/.test(job.status) && button('outline', 'x', act.cancel, () => again('cancel')),
				button('outline', 'link', act.link, () => copy(location.href, copied.link)),
				/done|failed|cancelled/.test(job.status) && button('quiet', 'trash', act.delete, remove)),
			output ? el('section.card', null, el('h2', null, words.done), el('p', null, output.copied ? words.copied : words.encoded(output.encoder, job.progress?.frames_encoded)), took && el('p', null, took),
				...job.warnings.map(({ message }) => el('p.note.warn', null, message))) : '',
			el('section.card', null, el('h2', null, words.script), command, el('div.keys', null,
				button('quiet', 'copy', act.copy, () => copy(command.textContent, copied.text, command)),
				button('quiet', 'tune', act.details, () => details(job, error?.detail)))));
		if (held) heading.focus({ preventScroll: true });
	}
	function move({ status, input, error, progress: p = {} }) {
		const failed = status === 'failed';
		const part = failed ? Math.min(1, (error.position_seconds ?? p.position_seconds ?? 0) / input.duration_seconds) || 0 : (p.percent || 0) / 100;
		wave.set({ jump: status === 'done', held: 1, done: status === 'done' ? 1 : part, cut: failed && part ? part : null, unknown: status === 'processing' && p.percent == null });
		const rest = status === 'processing' && p.percent != null ? [`${percent(p.percent)}\xa0%`, left(p.eta_seconds)] : [];
		if (!track) put(now, [state[status], stage[error?.stage], ...rest].filter(Boolean).join(' · '));
	}
}
const now = el('p.now');

// Owns: the page of one job. Never: the list. Used by: main.
import { curlFor } from '../curl.js';
import { $, clone, el, put, set, setIcon } from '../dom.js';
import { clock, explain, left, line, percent, size } from '../format.js';
import { copy, details, toast } from '../layer.js';
import { safeName } from '../names.js';
import { shape } from '../peaks.js';
import { Track } from '../player.js';
import { setTitle } from '../signal.js';
import { labelOf, made, playable } from '../target.js';
import { deleteJob, tell, watchJob } from '../watch.js';
import { Wave } from '../wave.js';
import { act, copied, job as words, list, row as rows, stage, state } from '../words.js';

let [wave, track] = [];
function clean() {
	track?.stop();
	wave?.free();
	track = wave = null;
}
export function hide() {
	watchJob();
	clean();
}
export function show(id, place, go) {
	let drawn;
	let now;
	place.replaceChildren(el('h1', { tabindex: -1 }, words.title));
	watchJob(id, (job, error) => {
		const key = job ? job.status + job.input.container : error.status;
		if (key !== drawn) {
			const held = place.contains(document.activeElement);
			clean();
			if (job) build(job);
			else place.replaceChildren(el('h1', { tabindex: -1 }, words.title), el('p', null, error.status === 403 ? words.other : words.none), el('p', null, el('a', { href: '/upload' }, words.back)));
			if (held) $('h1', place).focus({ preventScroll: true });
		}
		drawn = key;
		if (!job) return;
		move(job);
		wave.onsee = () => shape(wave, job);
		wave.onsee();
	});

	function build(job) {
		const { output, error, input, options, status } = job;
		const name = safeName(output?.filename || input.filename);
		place.replaceChildren(clone('job'));
		const [heading, big, pair, keys, result, script] = place.children;
		heading.append(el('bdi', { dir: 'auto' }, name));
		setTitle(name);
		const [idle, , frame, , note] = big.children;
		now = $('.now', big);
		set(big, 'data-phase', status);
		setIcon(idle.firstChild, { failed: 'warn', processing: 'mill', cancelled: 'x' }[status] || 'clock');
		wave = new Wave(frame.firstChild);
		const told = error && explain(error);
		note.hidden = !told;
		put(note.firstChild, told?.head || '');
		put(note.lastChild, told?.text || '');
		if (output) {
			const whole = clock(output.duration_seconds || 0);
			track = new Track(big, { wave, name, ...playable(job), onfail: toast, onchange: (at) => put(now, at ? rows.of(at, whole) : whole) });
		}
		const { codec, container } = input;
		const source = line([labelOf(container), codec !== container && !codec?.startsWith('pcm') && labelOf(codec)], ' ');
		[[input, source], [output, output ? made(job) : labelOf(options.format)]].forEach(([of, head], i) => {
			const { bits_per_sample: bits, sample_rate: rate, channels, duration_seconds: seconds, bytes } = of || {};
			const kind = line([rate && `${rate / 1000}\xa0kHz`, channels && words.channels(channels)], ' ');
			const lines = [line([head, bits && `${bits}\xa0bit`, kind], ', '), line([seconds && clock(seconds), bytes && size(bytes)])];
			pair.children[i].append(...lines.map((text) => el('p', null, text)));
		});

		const code = $('code', script);
		put(code, curlFor(options, input.filename));
		const ask = (verb) => tell({ job }, verb).then((refused) => refused && toast(explain(refused).head));
		const acts = {
			download: output && (() => {}), again: told?.way === 'again' && (() => ask('retry')), cancel: /queued|processing/.test(status) && (() => ask('cancel')),
			link: () => copy(location.href, copied.link), curl: () => copy(code.textContent, copied.text, code), details: () => details(job, error?.detail),
			delete: /done|failed|cancelled/.test(status) && (() => {
				go('/upload');
				toast(list.deleted(name), act.undo, (acted) => (acted ? go(`/upload/jobs/${id}`) : deleteJob(id)));
			}),
		};
		for (const node of place.querySelectorAll('[data-act]')) {
			const run = acts[node.dataset.act];
			node.hidden = !run;
			node.onclick = run;
		}
		result.hidden = !output;
		if (!output) return;
		$('a', keys).href = `/download/${id}`;
		put($('a span', keys), line([$('a', keys).textContent, size(output.bytes)]));
		const took = (Date.parse(job.completed_at) - Date.parse(job.started_at)) / 1000;
		result.append(el('p', null, output.copied ? words.copied : words.encoded(output.encoder, job.progress?.frames_encoded)), took >= 0 ? el('p', null, words.took(took)) : '', ...job.warnings.map(({ message }) => el('p.note warn', null, message)));
	}
	function move({ status, input, error, queue_position: place, progress: p = {} }) {
		const failed = status === 'failed';
		const part = failed ? Math.min(1, (error.position_seconds ?? p.position_seconds) / input.duration_seconds) || 0 : status === 'done' ? 1 : (p.percent || 0) / 100;
		const known = status === 'processing' && p.percent != null;
		wave.set({ jump: status === 'done', held: 1, done: part, cut: failed && part ? part : null, unknown: status === 'processing' && !known });
		if (!track) put(now, line([state[status], status === 'queued' && rows.place(place), stage(error?.stage), ...(known ? [`${percent(p.percent)}\xa0%`, left(p.eta_seconds)] : [])]));
	}
}

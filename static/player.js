// Owns: the page's one <audio>, play buttons and seek bars. Never: other state of rows. Used by: row, views/job.
import { button, el, set, setIcon } from './dom.js';
import { clock, spoken } from './format.js';
import { act, row as words } from './words.js';

const audio = new Audio();
audio.preload = 'none';
let current;
for (const type of ['play', 'pause', 'timeupdate', 'ended']) audio.addEventListener(type, () => current?.show(type));
audio.onerror = () => current?.fail();

/** A playable output in spec.frame over spec.wave; spec also has url, name, seconds, mime, onchange(clock or ''), onfail(sentence). */
export class Track {
	constructor(spec) {
		Object.assign(this, spec, { at: 0 });
		this.lead = button('lead', 'play', null, () => this.toggle());
		this.seek = el('input', {
			type: 'range', min: 0, max: this.seconds, step: 'any', dir: 'ltr', 'aria-label': act.seek(this.name), oninput: () => this.go(Number(this.seek.value)),
			onkeydown: (event) => {
				const by = { ArrowLeft: -5, ArrowRight: 5, PageDown: -30, PageUp: 30 }[event.key];
				if (!by) return;
				event.preventDefault();
				this.go(this.at + by);
			},
		});
		this.frame.append(this.seek);
		this.show();
	}
	get playing() { return current === this && !audio.paused; }
	toggle() {
		if (this.playing) audio.pause();
		else this.go(this.at);
	}
	/** Plays from a second on. */
	go(seconds) {
		if (!audio.canPlayType(this.mime)) { this.fail(); return; }
		this.at = Math.max(0, Math.min(this.seconds, seconds));
		if (current !== this) {
			const other = current;
			current = this;
			audio.src = this.url;
			other?.show();
		}
		audio.currentTime = this.at;
		audio.play().catch(() => {});
		this.show();
	}
	fail() {
		this.onfail(words.unplayable);
		this.stop();
	}
	show(type) {
		if (type && audio.readyState) this.at = type === 'ended' ? 0 : audio.currentTime;
		const { playing, seconds } = this;
		setIcon(this.lead.firstChild, playing ? 'pause' : 'play');
		this.lead.classList.toggle('on', playing);
		set(this.lead, 'aria-label', `${playing ? act.pause : act.play} ${this.name}`);
		this.seek.value = this.at;
		set(this.seek, 'aria-valuetext', words.of(spoken(this.at), spoken(seconds)));
		this.wave.set({ play: this.at / seconds, clock: playing && (() => audio.currentTime / seconds) });
		this.onchange(this.at ? clock(this.at) : '');
	}
	stop() {
		if (current !== this) return;
		current = null;
		audio.pause();
		this.at = 0;
		this.show();
	}
	/** Leaves the page: silence, and the bar is gone. */
	free() {
		this.stop();
		this.seek.remove();
	}
}

// Owns: the page's one <audio>, play buttons and seek bars. Never: other state of rows. Used by: row, views/job.
import { $, set, setIcon } from './dom.js';
import { clock, spoken } from './format.js';
import { act, row as words } from './words.js';

const audio = new Audio();
audio.preload = 'none';
let current;
audio.onplay = audio.onpause = audio.ontimeupdate = audio.onended = ({ type }) => current?.show(type);
audio.onerror = () => current?.fail();

/** Plays at `root`'s button and range; spec: wave, url, name, seconds, mime, onchange(clock or ''), onfail(sentence). */
export class Track {
	constructor(root, spec) {
		Object.assign(this, spec, { at: 0, lead: $('button.lead', root), bar: $('[type=range]', root) });
		const { lead, bar, name, seconds } = this;
		bar.max = seconds;
		set(bar, 'aria-label', act.seek(name));
		lead.onclick = () => this.toggle();
		bar.oninput = () => this.go(Number(bar.value));
		bar.onkeydown = (event) => {
			const by = { ArrowLeft: -5, ArrowRight: 5, PageDown: -30, PageUp: 30 }[event.key];
			if (!by) return;
			event.preventDefault();
			this.go(this.at + by);
		};
		this.show();
	}
	toggle() {
		if (this.playing) audio.pause();
		else this.go(this.at);
	}
	go(seconds) {
		if (!audio.canPlayType(this.mime)) { this.fail(); return; }
		this.at = Math.max(0, Math.min(this.seconds, seconds));
		const other = current;
		current = this;
		if (other !== this) audio.src = this.url;
		audio.currentTime = this.at;
		audio.play().catch(() => {});
		other?.show();
		this.show();
	}
	fail() {
		this.onfail(words.unplayable);
		this.stop();
	}
	show(type) {
		if (type && audio.readyState) this.at = type === 'ended' ? 0 : audio.currentTime;
		const { lead, bar, at, seconds } = this;
		this.playing = current === this && !audio.paused;
		setIcon(lead.firstChild, this.playing ? 'pause' : 'play');
		lead.classList.toggle('on', this.playing);
		set(lead, 'aria-label', `${this.playing ? act.pause : act.play} ${this.name}`);
		bar.value = at;
		set(bar, 'aria-valuetext', words.of(spoken(at), spoken(seconds)));
		this.wave.set({ play: at / seconds, clock: this.playing && (() => audio.currentTime / seconds) });
		this.onchange(at ? clock(at) : '');
	}
	stop() {
		if (current !== this) return;
		current = null;
		audio.pause();
		this.at = 0;
		this.show();
	}
}

// Owns: numbers that change calmly: edges, speeds, the rest of time. Never: DOM. Used by: wave, row, upload/line, views.

/** x on its way to a target with a time constant of 180 ms; arrives exactly. */
export function glide(x, target, ms) {
	const next = x + (target - x) * (1 - Math.exp(-ms / 180));
	return Math.abs(target - next) < 4e-4 ? target : next;
}
/** A speed a second from a growing amount: means of one-second samples, smoothed over 5 s. */
export class Rate {
	push(amount, now = performance.now()) {
		if (!(amount >= this.amount)) [this.amount, this.at] = [amount, now];
		const span = (now - this.at) / 1000;
		if (span < 1) return this.value;
		const sample = (amount - this.amount) / span;
		this.value = this.value == null ? sample : this.value + (sample - this.value) * (1 - Math.exp(-span / 5));
		[this.amount, this.at] = [amount, now];
		return this.value;
	}
}
/** The rest of time as shown: changes once a second, rises only after 3 s of a value a quarter higher. */
export class Left {
	show(seconds, now = performance.now()) {
		if (!Number.isFinite(seconds)) return this.value;
		if (seconds <= this.value * 1.25) this.high = now;
		const may = this.value == null || (now - this.at >= 1000 && (seconds <= this.value || now - this.high >= 3000));
		if (may) [this.value, this.at, this.high] = [seconds, now, now];
		return this.value;
	}
}

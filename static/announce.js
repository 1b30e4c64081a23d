// Owns: the polite live region: joined, 5 s apart, silent while somebody types. Never: percents. Used by: upload, views.
import { $, put } from './dom.js';

const PAUSE = 5000;
let messages = [];
let last = -PAUSE;
let timer;

export function announce(message) {
	messages.push(message);
	timer ??= setTimeout(speak, Math.max(150, last + PAUSE - performance.now()));
}
/** Said at once, and again when it is so again. */
export function alarm(text) {
	put($('#alarm'), '');
	put($('#alarm'), text);
}

function speak() {
	const typing = document.activeElement.matches('input:not([type=radio], [type=checkbox], [type=range], [type=file])');
	timer = typing ? setTimeout(speak, 1000) : null;
	if (typing) return;
	last = performance.now();
	put($('#live'), [...new Set(messages)].join(' '));
	messages = [];
}

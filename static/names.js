// Owns: file names made safe to show, and where to shorten them. Never: DOM. Used by: row, curl, views.
const UNSAFE = /[\0-\x08\v\f\x0e-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const segmenter = Intl.Segmenter && new Intl.Segmenter(); // new in Firefox 125
const graphemes = (text) => (segmenter ? Array.from(segmenter.segment(text), ({ segment }) => segment) : [...text]);

/** One line, nothing invisible or turning, at most 300 characters. */
export function safeName(name) {
	const flat = (name || '').replace(/[\r\n\t\u2028\u2029]+/g, ' ').replace(UNSAFE, '\ufffd').trim();
	const parts = graphemes(flat);
	return (parts[300] ? [...parts.slice(0, 260), '…', ...parts.slice(-39)].join('') : flat) || '\ufffd';
}
/** True when a name can stand in a shell command as it is. */
export const isPlain = (name) => name && !/[\r\n\t]/.test(name) && name.search(UNSAFE) < 0;
/** [head, tail]: the head may shrink to an ellipsis, the tail always stays. */
export function splitName(name) {
	const ending = /.\.[^. ]{1,7}$/.exec(name)?.[0].slice(1) || '';
	const stem = name.slice(0, name.length - ending.length);
	if (RTL.test(name)) return [stem, ending];
	const parts = graphemes(stem);
	if (parts.length < 14) return [name, ''];
	const tail = parts.slice(-6).join('').trimStart();
	return [stem.slice(0, stem.length - tail.length), tail + ending];
}
/** Names in the order people count in: "take 2" before "take 10". */
export const naturalOrder = new Intl.Collator(undefined, { numeric: true }).compare;

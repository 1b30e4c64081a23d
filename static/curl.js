// Owns: the command that does from a shell what the page does. Never: a real key. Used by: target, row, views/job.
import { isPlain } from './names.js';

const quote = (text) => (/^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The curl command for option fields ([[name, value]]) and a file name. */
export function curlFor(fields, name) {
	let file = isPlain(name) ? name : 'input.wav';
	if (file.startsWith('-')) file = `./${file}`;
	if (/[;,"\\]/.test(file)) file = `"${file.replace(/["\\]/g, '\\$&')}"`;
	const parts = [...fields, ['file', `@${file}`]].map(([key, value]) => `-F ${quote(`${key}=${value}`)}`);
	return `curl -H "x-api-key: $AUDIOMILL_KEY" ${parts.join(' ')} ${quote(`${location.origin}/upload`)}`;
}

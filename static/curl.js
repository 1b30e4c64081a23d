// Owns: the command that does from a shell what the page does. Never: a real key. Used by: target, views.
import { isPlain } from './names.js';

const quote = (text) => (/^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function curlFor(options, name) {
	let file = isPlain(name) ? name.replace(/^-/, './-') : 'input.wav';
	if (/[;,"\\]/.test(file)) file = `"${file.replace(/["\\]/g, '\\$&')}"`;
	const parts = Object.entries({ ...options, file: `@${file}` }).filter(([, value]) => value != null);
	return `curl -H "x-api-key: $AUDIOMILL_KEY" ${parts.map(([key, value]) => `-F ${quote(`${key}=${value}`)}`).join(' ')} ${quote(`${location.origin}/upload`)}`;
}

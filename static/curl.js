// Owns: the command that does from a shell what the page does. Never: a real key. Used by: target, views.
import { isPlain, safeName } from './names.js';

const quote = (text) => (/^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** An option; of a text with @, < or ; curl's -F would make something else. */
function field([key, value]) {
	const text = `${key}=${value}`;
	return `${/^[@<]|;/.test(value) ? '--form-string' : '-F'} ${quote(isPlain(text) ? text : safeName(text))}`;
}
export function curlFor(options, name) {
	let file = isPlain(name) ? name.replace(/^-/, './-') : 'input.wav';
	if (/[;,"\\]/.test(file)) file = `"${file.replace(/["\\]/g, '\\$&')}"`;
	return `curl -H "x-api-key: $AUDIOMILL_KEY" ${Object.entries(options).filter(([, value]) => value != null).map(field).join(' ')} -F ${quote(`file=@${file}`)} ${quote(`${location.origin}/upload`)}`;
}

// Owns: every text the page's code shows or says. Never: numbers' shapes (format), DOM. Used by: everything above.

/** Count and noun: "1 file", "1 240 files". */
export const count = (n, noun) => `${`${n}`.replace(/\B(?=(\d{3})+$)/g, '\u202f')}\xa0${noun}${n === 1 ? '' : 's'}`;
const ORDINALS = ['next', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];

/** A row's states, the first word of its status. */
export const state = {
	line: 'Waiting', sending: 'Uploading', storing: 'Storing', queued: 'Waiting', processing: 'Converting', finishing: 'Finishing', copying: 'Copying',
	failed: 'Failed', cancelled: 'Cancelled', paused: 'Paused', deleted: 'Deleted', again: 'Starting again',
};
export const account = {
	name: (email) => `Account ${email}`, failed: 'It did not work just now. Try again.',
	refused: { 401: () => 'The password is wrong.', 429: (s) => (s ? `Too many tries; the next one is possible in ${s}\xa0s.` : 'Too many tries; wait a little.'), 403: () => 'This account may not come in.' },
};
export const why = { plan: 'the plan’s limit is reached', signin: 'signed out', other: 'another account', disk: 'server’s disk is full', offline: 'no network', away: 'server does not answer', full: 'server is busy' };
/** Where a conversion failed, by the server's stage. */
export const stage = (at) => at && `while ${at === 'finishing' ? 'writing' : at}`;
export const row = {
	ahead: (n) => (n ? `${count(n, 'upload')} ${n > 1 ? 'are' : 'is'} ahead` : 'next to be sent'),
	place: (n) => (n ? `${ORDINALS[n - 1] || `number ${n}`} in line` : 'for a free core'),
	storing: 'making sure it is safe', copying: 'nothing is re-encoded', network: 'for the network', uploaded: (size) => `${size} uploaded`,
	still: (s) => `still working, last frame ${s}\xa0s ago`, done: (time) => `${time} done`, unknown: 'length unknown', reading: 'reading the file',
	kept: 'nothing is kept', resend: (size) => `${size}, sent again from the start`, lost: 'the connection was lost', restarted: 'the server was restarted',
	was: (size) => `was ${size}`, of: (a, b) => `${a} of ${b}`, gone: 'the result is no longer on the server', more: (n) => `and ${n} more`,
	realTime: (x) => `${x < 10 ? x.toFixed(1) : Math.round(x)}× real time`, unplayable: 'This browser cannot play it. Download it to listen.',
	reference: (id) => `Reference ${id}.`, target: (name, to) => `Target of ${name}: ${to}`,
};
export const act = { play: 'Play', pause: 'Pause', undo: 'Undo', now: 'Try now', signin: 'Sign in again', usage: 'See usage', as: (email) => `Sign in as ${email}`, addAnyway: 'Add anyway', seek: (name) => `Position in ${name}` };
export const target = {
	own: 'Own settings', more: 'More …', keep: 'Keep', minute: (size) => `About ${size} a minute.`, lossless: 'Lossless: nothing is thrown away',
	byLink: 'Set by a link.', missing: (reason) => reason || 'not in this build', time: 'A time such as 1:30 or 1:02:30.',
	groups: { lossy: 'Smaller', lossless: 'Lossless', other: 'Other' },
};
export const list = {
	recent: 'Recent', uploaded: 'All uploaded. You may close this page; the server goes on.', done: (n) => `${n} finished`, failed: (n) => `${n} failed`, all: 'finished',
	folder: (n, other) => `${count(n, 'audio file')} added, ${count(other, 'other file')} left out.`,
	same: (name, n) => `${n > 1 ? `${count(n, 'file')} are` : `${name} is`} already in the list.`, deleted: (name) => `${name} deleted.`, removed: (name) => `${name} removed.`, cleared: (n) => `${count(n, 'row')} cleared.`,
	apply: (to, n) => `Use ${to} for the ${count(n, 'unfinished file')} too?`, applyTo: (n) => `Apply to ${n}`, many: (n) => `Add ${count(n, 'file')}?`,
};
export const copied = { text: 'Copied.', link: 'Link copied.', marked: 'Copying is not allowed here; the text is selected.' };
export const veil = (n, to) => (n ? `${count(n, 'file')} to ${to}` : `To ${to}`);
const next = (s) => (s > 0 ? `next try in ${s}\xa0s` : 'trying now');
export const banner = {
	signin: () => 'Your sign-in has run out. Nothing is lost; uploads go on as soon as you are back in.',
	other: (guest, owner) => `You are now signed in as ${guest}; these files belong to ${owner}.`,
	disk: (s) => `The server’s disk is full. Uploads wait here, ${next(s)}. Deleting old results makes room.`,
	plan: (s, n, said) => `${said} ${n > 1 ? `${count(n, 'file')} wait` : 'The rest waits'} here; nothing is deleted.`,
	offline: () => 'You are offline. Uploaded files are kept; the rest goes on by itself.',
	away: (s) => `The server does not answer; ${next(s)}.`,
	full: (s, n) => `The server is full of work. ${n > 1 ? `${count(n, 'file')} wait here and go in by themselves` : 'What is left goes in by itself'}; ${next(s)}.`,
};
export const say = {
	added: (n) => `${count(n, 'file')} added.`, ready: (name) => `${name} is ready.`, some: (n, all) => `${n} of ${all} ready.`, failed: (name, text) => `${name} failed: ${text}`,
	all: (n, bad) => `All ${n} finished${bad ? `, ${bad} failed` : ''}.`, paused: (reason) => `Paused, ${reason}.`, on: 'Going on.',
};
/** What stands before the page's name in the tab. */
export const tab = { run: (p, n) => `${p}\xa0% · ${count(n, 'file')}`, paused: (p) => `Paused · ${p}\xa0%`, ready: (n) => `✓ ${n} ready`, failed: (ok, bad) => `! ${bad} failed${ok ? `, ${ok} ready` : ''}` };
export const job = {
	encoded: (name, frames) => `Audio re-encoded${name ? ` with ${name}` : ''}${frames ? `, ${frames} frames` : ''}.`,
	copied: 'Audio copied without loss; nothing was re-encoded.', took: (seconds) => `It took ${seconds.toFixed(1)}\xa0s.`, title: 'Job',
	none: 'There is no such job; it may have been deleted.', other: 'This job belongs to someone else.', back: 'Back to Convert',
	channels: (n) => ['mono', 'stereo'][n - 1] || `${n} channels`,
};
export const left = ['a few seconds left', (time) => `about ${time} left`];
export const expiry = (time) => `deleted in ${time}`;

// Headline → its codes, then what is offered beside More: Remove unless it says otherwise.
const ERRORS = [
	['The file is empty.', 'no_file empty_file'], ['The file can no longer be read.', 'unreadable'], ['Larger than this server takes.', 'too_large'], ['This is not audio.', 'not_audio'],
	['This kind of file is not taken here.', 'type_not_accepted unsupported_format unsupported_codec unsupported_type unsupported_input'], ['There is no sound in this file.', 'no_audio_stream'],
	['This file is protected.', 'encrypted'], ['The file is damaged.', 'corrupt_input', 'again'], ['These options do not go together.', 'option_unsupported option_unknown option_invalid format_unknown', 'options'],
	['Longer than this server allows.', 'limit_exceeded'], ['Larger than this server allows.', 'output_limit'], ['Nothing came out.', 'empty_output', 'again'],
	['It took longer than allowed.', 'timed_out', 'again'], ['The decoder failed on this file.', 'decoder_crashed', 'again'],
	['The decoder failed on this file twice; it is set aside.', 'quarantined'], ['The uploaded file has been deleted.', 'input_gone upload_expired'],
	['You may not do this.', 'forbidden csrf_failed link_invalid'], ['It is no longer there.', 'not_found gone'], ['It is already finished or cancelled.', 'conflict idempotency_key_reused'],
	['The plan’s limit is reached.', 'plan_limit'], ['Your sign-in has run out.', 'unauthenticated', 'wait'], ['The server is busy.', 'too_many queue_full draining database_busy not_usable idempotency_key_in_use', 'wait'],
	['The server did not answer. Look whether it was done before you try again.', 'network', 'wait'], ['The server made a mistake.', 'internal storage_failed', 'again'],
];
/** What to say about an error's code, and the button to offer. */
export function problem(code, at, limit) {
	const [head, , way = 'remove'] = ERRORS.find(([, codes]) => codes.split(' ').includes(code)) || ['It did not work.', '', 'again'];
	if (code === 'corrupt_input' && at) return { head: `The sound breaks off at ${at}.`, way };
	return { head: code === 'too_large' && limit ? head.replace('.', ` (${limit}).`) : head, way };
}

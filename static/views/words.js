// Owns: what the account and admin pages say. Never: drawing. Used by: views/account, views/admin.
import { count } from '../words.js';

export const parts = { account: 'Account', keys: 'API keys', sessions: 'Signed-in devices', usage: 'Usage', audit: 'Audit log', users: 'Accounts' };
export const again = 'Try again';
export const account = {
	facts: ({ email, role, plan }) => `${email} · ${role === 'admin' ? 'admin' : 'user'} · plan ${plan}`, out: 'Sign out', profile: 'About you', save: 'Save', saved: 'Saved.',
	names: { first_name: 'First name', last_name: 'Last name', company: 'Company' },
	password: 'Password', current: 'Current password', fresh: 'New password', hint: 'At least 8 characters, with a letter and a digit. Other devices are signed out.', change: 'Change password', changed: 'The password is changed.',
};
export const keys = {
	lede: 'A script shows a key in place of signing in.', none: 'No keys yet.', make: 'New key', name: 'Name', may: 'May', ends: 'Ends', create: 'Make the key',
	scopes: { 'jobs:read jobs:write': 'convert and read', 'jobs:read': 'read', 'jobs:write': 'convert', 'jobs:read jobs:write admin': 'everything' },
	days: { 30: 'in 30 days', 365: 'in 1 year', '': 'never' }, fresh: (name) => `Your new key “${name}”. It is shown once, then never again.`, copy: 'Copy key', stored: 'I have stored it', copied: 'Key copied.',
	facts: (prefix, may, used, ends) => `${prefix}… · ${may} · ${used} · ${ends}`, used: (time, n) => (time ? `used ${count(n, 'time')}, last ${time}` : 'never used'), until: (time) => (time ? `until ${time}` : 'for ever'), over: (time) => `ended ${time}`, revoked: (time) => `revoked ${time}`,
	stops: 'Scripts using it stop at once.', revoke: 'Revoke', sure: (name) => `Revoke “${name}”?`, gone: (name) => `“${name}” is revoked.`,
};
export const sessions = {
	lede: 'Browsers that are signed in as you.', none: 'You came by the proxy’s sign-in; there is nothing to end here.', here: 'this one', by: { link: 'by the link', password: 'by password', form: 'by the development form' },
	facts: (address, by, seen) => `${address || 'this machine'} · ${by} · last seen ${seen}`, unknown: 'A browser', end: 'End', others: 'End all others', sure: (name) => `End “${name}”?`, sureAll: 'End all other sessions?', again: 'Who sits there has to sign in again.', endAll: 'End them', ended: (n) => `${count(n, 'session')} ended.`,
};
const BROWSERS = [[/Edg/, 'Edge'], [/OPR|Opera/, 'Opera'], [/Firefox|FxiOS/, 'Firefox'], [/Chrome|CriOS/, 'Chrome'], [/Safari/, 'Safari']];
const SYSTEMS = [[/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/Android/, 'Android'], [/Windows/, 'Windows'], [/Mac OS/, 'Mac'], [/Linux/, 'Linux']];
/** "Chrome on Linux", or how a program calls itself. */
export function browser(agent) {
	const [name, system] = [BROWSERS, SYSTEMS].map((known) => known.find(([mark]) => mark.test(agent))?.[1]);
	return name && system ? `${name} on ${system}` : (agent || '').slice(0, 60);
}
export const usage = {
	month: (from, until) => `From ${from}, anew ${until}.`, of: (used, limit, [one, many]) => (limit == null ? `${used} ${used === 1 ? one : many}` : `${used} of ${limit} ${many}`),
	near: (share) => (share >= 1 ? ', used up' : share >= 0.8 ? ', nearly used up' : ''),
	lines: { conversions: ['conversion', 'conversions'], audio_minutes: ['minute of sound', 'minutes of sound'], api_calls: ['request of scripts', 'requests of scripts'], storage_mb: ['MB stored', 'MB stored'] }, log: 'What was done', none: 'Nothing yet.', older: 'Show older', services: { transcode: 'Conversion' },
};
export const admin = {
	whole: (n) => `The chain is whole: ${count(n, 'entry').replace('entrys', 'entries')}.`, broken: (at) => `The chain breaks at entry ${at}: somebody has changed the log.`, usage: (at) => `The chain of the usage log breaks at entry ${at}: somebody has changed it.`,
	actor: 'By whom', action: 'What', save: 'Export', filter: 'Show', older: 'Show older', none: 'There is nothing.', shut: 'Disable', open: 'Enable', sure: (email) => `Disable ${email}?`, shutOut: 'They are shut out at their next request; nothing of theirs is deleted.', disabled: 'disabled', role: 'Role of', plan: 'Plan of',
};

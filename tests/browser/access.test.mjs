// Owns: people who come through Cloudflare Access, and what happens when that lets go of them. Used by: npm test.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { startEdge } from './edge.mjs';
import { phase, until, world } from './harness.mjs';

let edge;
let w;
before(async () => {
	edge = await startEdge();
	w = await world({ CF_TEAM_DOMAIN: edge.base, CF_AUDIENCE: edge.AUDIENCE, ALLOWED_EMAILS: 'ann@example.org,bob@example.org', PUBLIC_URL: edge.base });
	edge.origin = w.server.base;
});
after(async () => {
	await w?.stop();
	edge?.stop();
});
const visit = () => w.page({ storageState: undefined, base: edge.base });
/** Whoever is signed in at the edge is so no more. */
const letGo = () => edge.people.clear();
/** Presses Sign in again; resolves once the other tab has closed itself. */
async function signInAgain(page) {
	const [tab] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('button', { name: 'Sign in again' }).click()]);
	if (!tab.isClosed()) await tab.waitForEvent('close');
}

test('a_first_visit_needs_no_second_sign_in', async () => {
	const page = await visit();
	await page.setInputFiles('#pick', w.wav('first.wav', 1));
	await phase(page, 'first.mp3', 'done');
	assert.equal(await page.evaluate(async () => (await (await fetch('/api/v1/me')).json()).email), 'ann@example.org');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('an_access_session_that_ends_in_mid_upload_is_renewed_in_another_tab_and_nothing_is_lost', async () => {
	const page = await visit();
	await page.setInputFiles('#pick', w.wav('before.wav', 1));
	await phase(page, 'before.mp3', 'done');
	letGo();
	await page.setInputFiles('#pick', [w.wav('out 1.wav', 1), w.wav('out 2.wav', 1)]);
	await page.locator('#banner').getByText('Your sign-in has run out.').waitFor();
	await phase(page, 'out 1.wav', 'paused');
	const asked = edge.uploads;
	await page.waitForTimeout(1500);
	assert.equal(edge.uploads, asked, 'nothing is sent in vain');
	await signInAgain(page);
	await phase(page, 'out 1.mp3', 'done');
	await phase(page, 'out 2.mp3', 'done');
	await page.locator('#banner').waitFor({ state: 'hidden' });
	await phase(page, 'before.mp3', 'done');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('somebody_else_who_signs_in_is_not_given_these_files', async () => {
	const page = await visit();
	await page.setInputFiles('#pick', w.wav('mine.wav', 1));
	await phase(page, 'mine.mp3', 'done');
	letGo();
	await page.setInputFiles('#pick', w.wav('private.wav', 1));
	await page.locator('#banner').getByText('Your sign-in has run out.').waitFor();
	edge.next = 'bob@example.org';
	await signInAgain(page);
	await page.locator('#banner').getByText('You are now signed in as bob@example.org; these files belong to ann@example.org.').waitFor();
	await page.waitForTimeout(1500);
	await phase(page, 'private.wav', 'paused');
	const jobs = () => page.evaluate(async () => (await (await fetch('/api/v1/jobs')).json()).total);
	assert.equal(await jobs(), 0, 'nothing of hers is his');
	// Out of there as him, and in again as her.
	edge.next = 'ann@example.org';
	const [out] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('button', { name: 'Sign in as ann@example.org' }).click()]);
	await out.getByText('You are signed out of Access.').waitFor();
	await out.close();
	await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
	await page.locator('#banner').getByText('Your sign-in has run out.').waitFor();
	await signInAgain(page);
	await phase(page, 'private.mp3', 'done');
	await page.locator('#banner').waitFor({ state: 'hidden' });
	await page.context().close();
});
test('where_no_tab_may_be_opened_this_one_signs_in_and_brings_its_list_back', async () => {
	const page = await visit();
	await page.setInputFiles('#pick', w.wav('kept.wav', 1));
	await phase(page, 'kept.mp3', 'done');
	await page.evaluate(() => { window.open = () => null; });
	letGo();
	await page.setInputFiles('#pick', w.wav('unsent.wav', 1));
	await page.locator('#banner').getByText('Your sign-in has run out.').waitFor();
	page.on('dialog', (dialog) => dialog.accept());
	await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Sign in again' }).click()]);
	await phase(page, 'kept.mp3', 'done');
	await until(async () => !(await page.locator('#banner').isVisible()), 'no banner');
	await page.context().close();
});

// Owns: cancel, retry, failures, lost networks, full servers, reloads. Used by: npm test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { phase, row, until, world } from './harness.mjs';

let w;
before(async () => { w = await world(); });
after(() => w?.stop());

const isUpload = (url, request) => request.method() === 'POST';
/** Lets the first `times` uploads fail with a problem, the rest through. */
const refuse = async (page, times, status, code, headers = {}, detail = 'Not now.') => {
	let left = times;
	await page.route('**/upload', (route) => {
		if (!isUpload(null, route.request()) || (left -= 1) < 0) return route.fallback();
		return route.fulfill({ status, contentType: 'application/problem+json', headers, body: JSON.stringify({ type: 'about:blank', title: code, status, detail, code, request_id: 'r-7', error: detail }) });
	});
};

test('failed_row_says_cause_and_is_removed_with_undo', async () => {
	const page = await w.page();
	await page.setInputFiles('#pick', w.write('not really.wav', 'This is only a text that calls itself a recording. '.repeat(20)));
	await phase(page, 'not really.wav', 'failed');
	const one = row(page, 'not really.wav');
	const note = one.locator('.note');
	assert.ok((await note.locator('b').innerText()).length > 8);
	assert.match(await one.locator('.status').innerText(), /^Failed/);
	assert.ok(await one.locator('.acts button').count() > 0);
	await one.focus();
	await page.keyboard.press('Delete');
	await one.waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Undo' }).click();
	await one.waitFor();
	await page.context().close();
});
test('a_refused_file_says_what_the_server_says', async () => {
	const page = await w.page();
	await refuse(page, 1, 415, 'not_audio', {}, 'It is a PNG picture.');
	await page.setInputFiles('#pick', w.wav('picture.wav', 1));
	await phase(page, 'picture.wav', 'failed');
	assert.equal(await row(page, 'picture.wav').locator('.note').innerText(), 'This is not audio. It is a PNG picture.');
	assert.deepEqual(await row(page, 'picture.wav').locator('.acts').innerText(), 'Remove');
	await page.context().close();
});
test('a_server_mistake_gives_a_reference_and_a_new_try_works', async () => {
	const page = await w.page();
	await refuse(page, 1, 500, 'internal', {}, 'Something went wrong.');
	await page.setInputFiles('#pick', w.wav('again.wav', 1));
	await row(page, 'again.wav').getByText('Reference r-7').waitFor();
	await page.getByRole('button', { name: 'Try again again.wav' }).click();
	await phase(page, 'again.mp3', 'done');
	await page.context().close();
});
test('an_upload_is_cancelled_and_started_again', async () => {
	const page = await w.page();
	let open = false;
	await page.route('**/upload', (route) => { if (route.request().method() !== 'POST' || open) route.fallback(); });
	await page.setInputFiles('#pick', w.wav('slow.wav', 20));
	await page.getByRole('button', { name: 'Cancel slow.wav' }).click();
	await phase(page, 'slow.wav', 'cancelled');
	assert.match(await row(page, 'slow.wav').innerText(), /Cancelled · nothing is kept/);
	open = true;
	await page.getByRole('button', { name: 'Start again slow.wav' }).click();
	await phase(page, 'slow.mp3', 'done');
	await page.context().close();
});
test('three_are_sent_at_once_small_files_first_and_the_rest_waits', async () => {
	const page = await w.page();
	const held = [];
	await page.route('**/upload', (route) => { if (route.request().method() === 'POST') held.push(route); else route.fallback(); });
	await page.setInputFiles('#pick', [5, 4, 3, 2, 1].map((n) => w.wav(`size ${n}.wav`, n)));
	await until(() => held.length === 3, 'three uploads');
	const phases = () => page.locator('.row').evaluateAll((nodes) => nodes.map((node) => [node.querySelector('h3').title, node.dataset.phase]));
	await page.waitForTimeout(700);
	assert.equal(held.length, 3);
	assert.deepEqual((await phases()).filter(([, at]) => at === 'line').map(([name]) => name), ['size 4.wav', 'size 5.wav']);
	await page.getByRole('button', { name: /^Target of size 5.wav/ }).click();
	await page.getByRole('dialog').getByRole('radio', { name: /Best/ }).check();
	await page.getByRole('button', { name: 'Done' }).click();
	assert.match(await row(page, 'size 5.wav').locator('.chip').innerText(), /MP3\s*· Best/);
	page.on('dialog', (dialog) => dialog.accept());
	await page.context().close();
});
test('a_changed_target_is_offered_to_files_whose_upload_has_not_begun', async () => {
	for (const width of [390, 1280]) {
		const page = await w.page({ viewport: { width, height: 800 } });
		const held = [];
		let open = false;
		await page.route('**/upload', (route) => { if (open || route.request().method() !== 'POST') route.fallback(); else held.push(route); });
		await page.setInputFiles('#pick', [8, 7, 6, 5, 4, 3, 2, 1].map((n) => w.wav(`offer ${n} ${width}.wav`, n / 4)));
		await until(() => held.length === 3, 'three uploads');
		const offer = page.getByRole('button', { name: 'Apply to 5' });
		assert.equal(await page.locator('#apply').isVisible(), false);
		if (width < 600) {
			await page.locator('#dock-to').click();
			await page.getByRole('dialog').getByRole('radio', { name: 'FLAC' }).check();
			await page.getByRole('button', { name: 'Done' }).click();
		} else await page.getByLabel('Convert to').getByRole('combobox').selectOption('flac');
		assert.match(await page.locator('#apply').innerText(), /Use FLAC for the 5\sunfinished files too\?/);
		await offer.click();
		await offer.waitFor({ state: 'hidden' });
		open = true;
		for (const route of held) await route.fallback();
		await until(async () => await page.locator('.row[data-phase=done]').count() === 8, '8 files', 40000);
		const names = await page.locator('.row h3').evaluateAll((nodes) => nodes.map((node) => node.title));
		assert.deepEqual(names.map((name) => name.replace(` ${width}`, '')), [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `offer ${n}.${n < 4 ? 'mp3' : 'flac'}`));
		await page.context().close();
	}
});
test('reload_brings_the_list_back', async () => {
	const page = await w.page();
	await page.setInputFiles('#pick', [w.wav('kept 1.wav', 1), w.wav('kept 2.wav', 1)]);
	await phase(page, 'kept 1.mp3', 'done');
	await phase(page, 'kept 2.mp3', 'done');
	await page.reload();
	await phase(page, 'kept 1.mp3', 'done');
	await phase(page, 'kept 2.mp3', 'done');
	assert.deepEqual(await page.locator('.row h3').evaluateAll((nodes) => nodes.map((node) => node.title)), ['kept 1.mp3', 'kept 2.mp3']);
	const other = await w.page();
	await other.getByRole('heading', { name: 'Recent' }).waitFor();
	assert.equal(await other.locator('.row').count(), 3);
	await page.context().close();
	await other.context().close();
});
test('a_job_that_was_finished_before_its_upload_answered_is_shown_finished', async () => {
	// The upload's answer is held back until the list has named its job as done and has nothing new any more.
	const page = await w.page({ before: (one) => one.addInitScript(() => {
		const set = Object.getOwnPropertyDescriptor(XMLHttpRequestEventTarget.prototype, 'onload').set;
		Object.defineProperty(XMLHttpRequest.prototype, 'onload', { set(then) { set.call(this, then && (() => setTimeout(then, 4000))); } });
	}) });
	await page.setInputFiles('#pick', w.wav('early bird.wav', 1));
	await page.waitForTimeout(2500);
	await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
	await phase(page, 'early bird.mp3', 'done', 12000);
	await page.context().close();
});
test('two_tabs_show_the_same', async () => {
	const page = await w.page();
	await page.setInputFiles('#pick', w.wav('tabs.wav', 1));
	await phase(page, 'tabs.mp3', 'done');
	const second = await page.context().newPage();
	await second.goto(`${w.server.base}/upload`);
	await phase(second, 'tabs.mp3', 'done');
	await page.context().close();
});
test('offline_pauses_and_goes_on_by_itself', async () => {
	const page = await w.page();
	let held = true;
	await page.route('**/upload', (route) => { if (route.request().method() !== 'POST' || !held) route.fallback(); });
	await page.setInputFiles('#pick', w.wav('field.wav', 5));
	await phase(page, 'field.wav', 'sending');
	await page.context().setOffline(true);
	await page.getByText('You are offline.').waitFor();
	await phase(page, 'field.wav', 'paused');
	assert.match(await row(page, 'field.wav').locator('.status').innerText(), /^Paused · no network/);
	await until(async () => (await page.title()).startsWith('Paused'), 'the title');
	held = false;
	await page.context().setOffline(false);
	await phase(page, 'field.mp3', 'done');
	await page.locator('#banner').waitFor({ state: 'hidden' });
	await page.context().close();
});
test('a_server_away_is_tried_again', async () => {
	const page = await w.page();
	let away = true;
	await page.route('**/*', (route) => (away ? route.abort('connectionrefused') : route.fallback()));
	await page.setInputFiles('#pick', w.wav('away.wav', 1));
	await page.getByText('The server does not answer').waitFor();
	away = false;
	await page.getByRole('button', { name: 'Try now' }).click();
	await phase(page, 'away.mp3', 'done');
	await page.context().close();
});
test('queue_full_waits_retry_after', async () => {
	const page = await w.page();
	await refuse(page, 1, 503, 'queue_full', { 'Retry-After': '2' });
	const begun = Date.now();
	await page.setInputFiles('#pick', w.wav('full.wav', 1));
	await page.getByText('The server is full of work.').waitFor();
	await phase(page, 'full.wav', 'paused');
	await phase(page, 'full.mp3', 'done');
	assert.ok(Date.now() - begun >= 1500, 'it waited');
	await page.locator('#banner').waitFor({ state: 'hidden' });
	await page.context().close();
});
test('disk_full_pauses_and_recovers', async () => {
	const page = await w.page();
	await refuse(page, 1, 507, 'disk_full');
	await page.setInputFiles('#pick', w.wav('disk.wav', 1));
	await page.getByText('The server’s disk is full.').waitFor();
	await phase(page, 'disk.wav', 'paused');
	assert.match(await row(page, 'disk.wav').locator('.status').innerText(), /Paused · server’s disk is full/);
	await page.getByRole('button', { name: 'Try now' }).click();
	await phase(page, 'disk.mp3', 'done');
	await page.context().close();
});
test('a_sign_in_that_ran_out_pauses_and_asks_once', async () => {
	const page = await w.page();
	await refuse(page, 99, 401, 'unauthenticated');
	await page.setInputFiles('#pick', [w.wav('out 1.wav', 1), w.wav('out 2.wav', 1)]);
	await page.locator('#banner').getByText('Your sign-in has run out.').waitFor();
	await phase(page, 'out 1.wav', 'paused');
	assert.equal(await page.locator('.banner:visible').count(), 1);
	assert.match(await page.locator('#alarm').textContent(), /sign-in has run out/);
	// Back in this tab everything goes on: nothing was lost.
	await page.unroute('**/upload');
	await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
	await phase(page, 'out 1.mp3', 'done');
	await phase(page, 'out 2.mp3', 'done');
	await page.locator('#banner').waitFor({ state: 'hidden' });
	await page.context().close();
});
test('signed_out_on_the_phone_only_one_button_is_filled', async () => {
	const page = await w.page({ viewport: { width: 390, height: 800 } });
	await refuse(page, 99, 401, 'unauthenticated');
	const filled = () => page.locator('.btn:visible').evaluateAll((nodes) => {
		const accent = getComputedStyle(document.querySelector('nav a[aria-current]')).boxShadow.match(/rgb\([^)]*\)/)[0];
		return nodes.filter((node) => getComputedStyle(node).backgroundColor === accent).map((node) => node.textContent.trim());
	});
	await page.setInputFiles('#pick', w.wav('one filled.wav', 1));
	await page.locator('#banner').waitFor();
	await until(async () => (await filled()).join() === 'Sign in again', 'one filled button');
	await page.context().close();
});
test('a_file_that_is_gone_is_named_and_holds_up_nobody', async () => {
	const page = await w.page();
	const held = [];
	let open = false;
	await page.route('**/upload', (route) => { if (open || route.request().method() !== 'POST') route.fallback(); else held.push(route); });
	const files = [1, 2, 3, 4].map((n) => w.wav(`gone ${n}.wav`, n));
	await page.setInputFiles('#pick', files);
	await until(() => held.length === 3, 'three uploads');
	fs.rmSync(files[3]);
	open = true;
	for (const route of held) await route.fallback();
	await phase(page, 'gone 4.wav', 'failed');
	assert.equal((await row(page, 'gone 4.wav').locator('.note').innerText()).trim(), 'The file can no longer be read.');
	await phase(page, 'gone 3.mp3', 'done');
	assert.ok(await page.locator('#banner').isHidden());
	await page.context().close();
});
test('a_target_chosen_too_late_is_not_shown_as_if_it_held', async () => {
	const page = await w.page();
	const held = [];
	await page.route('**/upload', (route) => { if (route.request().method() !== 'POST') route.fallback(); else held.push(route); });
	await page.setInputFiles('#pick', [1, 2, 3, 4].map((n) => w.wav(`late ${n}.wav`, n)));
	await until(() => held.length === 3, 'three uploads');
	await page.getByRole('button', { name: /^Target of late 4.wav/ }).click();
	for (const route of held.splice(0)) await route.fallback();
	await until(() => held.length === 1, 'the fourth');
	await page.getByRole('dialog').getByRole('radio', { name: 'FLAC' }).click();
	await page.getByRole('button', { name: 'Done' }).click();
	assert.match(await row(page, 'late 4.wav').locator('.chip').innerText(), /MP3/);
	await until(() => row(page, 'late 4.wav').evaluate((node) => node === document.activeElement), 'focus on the row');
	await held[0].fallback();
	await phase(page, 'late 4.mp3', 'done');
	await page.context().close();
});
test('a_job_deleted_elsewhere_is_no_longer_offered', async () => {
	const page = await w.page();
	await page.setInputFiles('#pick', w.wav('elsewhere.wav', 1));
	await phase(page, 'elsewhere.mp3', 'done');
	await row(page, 'elsewhere.mp3').focus();
	await page.keyboard.press('Enter');
	const away = page.locator('#page [data-act=delete]');
	await away.waitFor();
	let asked = 0;
	page.on('request', () => { asked += 1; });
	await page.waitForTimeout(3000);
	assert.ok(asked <= 4, `a finished job was asked for ${asked} times in 3 s`);
	await away.click();
	const deleted = page.waitForRequest((request) => request.method() === 'DELETE');
	await page.mouse.move(5, 5);
	await deleted;
	await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
	await page.locator('.row[data-phase=deleted]').waitFor();
	assert.match(await page.locator('.row').innerText(), /Deleted · the result is no longer on the server/);
	await page.context().close();
});
test('keys_do_only_what_a_row_offers_and_focus_is_never_lost', async () => {
	const page = await w.page();
	let posts = 0;
	page.on('request', (request) => { posts += request.method() === 'POST'; });
	await page.setInputFiles('#pick', [w.wav('keys 1.wav', 1), w.write('keys 2.wav', '')]);
	await phase(page, 'keys 1.mp3', 'done');
	await row(page, 'keys 2.wav').focus();
	for (const key of ['d', 'r', 'ArrowUp', 'ArrowUp', 'ArrowDown']) await page.keyboard.press(key);
	await page.waitForTimeout(300);
	assert.equal(posts, 1, 'an empty file is not sent by R either');
	const focused = () => page.evaluate(() => document.activeElement.querySelector('h3')?.title || document.activeElement.tagName);
	await page.locator('#clear').focus();
	await page.keyboard.press('Enter');
	assert.equal(await focused(), 'keys 2.wav');
	await page.keyboard.press('Delete');
	await page.waitForTimeout(300);
	assert.equal(await focused(), 'H1');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('try_again_pressed_twice_sends_nothing_twice', async () => {
	const page = await w.page();
	let [uploads, tries] = [0, 0];
	const job = { id: 'twice', owner: 'owner', input: { filename: 'twice.wav', bytes: 99, duration_seconds: 1 }, options: { format: 'mp3' }, warnings: [], status: 'failed', error: { code: 'internal', stage: 'decoding' }, progress: {} };
	await page.route('**/api/v1/jobs?*', (route) => route.fulfill({ json: { jobs: [job], total: 1 } }));
	await page.route('**/upload', (route) => {
		if (route.request().method() !== 'POST') return route.fallback();
		uploads += 1;
		return route.fulfill({ json: { job_id: 'twice' } });
	});
	await page.route('**/retry', async (route) => {
		tries += 1;
		if (tries > 1) return route.fulfill({ status: 409, json: { code: 'conflict', detail: 'Only a failed or cancelled job can be tried again.' } });
		await new Promise((resolve) => { setTimeout(resolve, 500); });
		Object.assign(job, { status: 'queued', error: null });
		return route.fulfill({ json: job });
	});
	await page.setInputFiles('#pick', w.wav('twice.wav', 1));
	await page.getByRole('button', { name: 'Try again twice.wav' }).dblclick();
	await phase(page, 'twice.wav', 'queued');
	await page.waitForTimeout(500);
	assert.deepEqual([tries, uploads], [2, 1], 'the file is sent once');
	await page.context().close();
});
test('a_menu_whose_row_has_gone_closes_and_does_nothing', async () => {
	const page = await w.page();
	await page.locator('.row').first().waitFor();
	await page.locator('.row [data-act=more]').first().click();
	await page.evaluate(() => {
		const data = new DataTransfer();
		data.items.add(new File([], 'newcomer.wav'));
		dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
	});
	await phase(page, 'newcomer.wav', 'failed');
	await page.getByRole('menuitem', { name: 'Delete now' }).click();
	await page.getByRole('menu').waitFor({ state: 'hidden' });
	assert.deepEqual(page.faults, []);
	assert.equal(await page.locator('.row').count(), 1);
	await page.context().close();
});
test('undo_of_delete_keeps_the_job_and_time_deletes_it', { timeout: 40000 }, async () => {
	const page = await w.page();
	const deletes = [];
	page.on('request', (request) => request.method() === 'DELETE' && deletes.push(request.url()));
	await page.setInputFiles('#pick', w.wav('doomed.wav', 1));
	await phase(page, 'doomed.mp3', 'done');
	const away = async () => {
		await page.getByRole('button', { name: 'More doomed.mp3' }).click();
		await page.getByRole('menuitem', { name: 'Delete now' }).click();
		await row(page, 'doomed.mp3').waitFor({ state: 'detached' });
	};
	await away();
	await page.getByRole('button', { name: 'Undo' }).click();
	await row(page, 'doomed.mp3').waitFor();
	assert.equal(deletes.length, 0);
	await away();
	await until(() => deletes.length === 1, 'the deletion', 9000);
	await page.context().close();
});

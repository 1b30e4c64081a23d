// Owns: signing in by password, keys, devices, usage, the admins' pages. Used by: npm test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { phase, row, until, world } from './harness.mjs';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PASSWORD = 'for development';
let w;
before(async () => { w = await world({ DEV_PASSWORD: PASSWORD, ALLOWED_EMAILS: 'ann@example.org,bob@example.org,cy@example.org' }); });
after(() => w?.stop());

/** Fills in the form. */
async function enter(page, email) {
	await page.getByLabel('E-mail').fill(email);
	await page.getByLabel('Password').fill(PASSWORD);
	await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}
/** Signs Ann in by the form, in a browser of her own. */
async function ann({ email = 'ann@example.org', at = '/upload/account', ...options } = {}) {
	const page = await w.page({ storageState: undefined, at, ...options });
	assert.match(page.url(), /\/login\?next=/);
	await enter(page, email);
	await page.waitForURL(`**${at}`);
	return page;
}
/** Signs Ann out and Bob in, in another tab of her browser. */
async function becomeBob(page) {
	const tab = await page.context().newPage();
	await tab.goto(`${w.server.base}/upload/account`);
	await tab.locator('.parts').getByRole('button', { name: 'Sign out' }).click();
	await tab.waitForURL('**/login');
	await enter(tab, 'bob@example.org');
	await tab.waitForURL((url) => !url.pathname.startsWith('/login'));
	return tab;
}
/** Opens the form for a key; where there is no key yet, it is open. */
async function newKey(page) {
	await page.getByRole('heading', { name: 'API keys' }).waitFor();
	await page.locator('.parts ul li').first().waitFor();
	const open = page.getByRole('button', { name: 'New key' });
	if (await open.isVisible()) await open.click();
}
const ofBob = (tab, path) => tab.evaluate(async (at) => (await fetch(`/api/v1${at}`)).json(), path);

test('signs_in_by_password_without_script_and_says_what_is_wrong', async () => {
	const page = await w.page({ storageState: undefined, javaScriptEnabled: false, at: '/upload/account' });
	await page.getByLabel('E-mail').fill('ann@example.org');
	await page.getByLabel('Password').fill('another');
	await page.getByRole('button', { name: 'Sign in', exact: true }).click();
	await page.getByRole('alert').getByText('Invalid credentials').waitFor();
	await page.getByLabel('E-mail').fill('ann@example.org');
	await page.getByLabel('Password').fill(PASSWORD);
	await page.getByRole('button', { name: 'Sign in', exact: true }).click();
	await page.waitForURL('**/upload/account');
	await page.context().close();
});

test('key_is_shown_once_works_and_is_revoked_by_name', async () => {
	const page = await ann();
	await page.getByRole('link', { name: 'API keys' }).click();
	await newKey(page);
	await page.getByLabel('Name').fill('phone shortcut');
	await page.getByLabel('Ends').selectOption('in 1 year');
	await page.getByRole('button', { name: 'Make the key' }).click();
	const key = await page.locator('.fresh code').innerText();
	assert.match(key, /^am_[0-9a-f]{8}_[0-9a-f]{64}$/);
	const asked = () => fetch(`${w.server.base}/api/v1/me`, { headers: { 'x-api-key': key } });
	assert.equal((await asked()).status, 200);
	await page.getByRole('button', { name: 'I have stored it' }).click();
	assert.equal(await page.getByText(key).count(), 0);
	const line = page.locator('.parts li', { hasText: 'phone shortcut' });
	assert.match(await line.innerText(), /am_[0-9a-f]{8}… · convert and read · .*until/);
	await page.reload();
	await line.waitFor();
	assert.equal(await page.getByText(key).count(), 0, 'never again');
	await line.getByRole('button', { name: 'Revoke' }).click();
	await page.getByRole('heading', { name: 'Revoke “phone shortcut”?' }).waitFor();
	assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Keep', 'the safe one has the focus');
	await page.locator('dialog#sure').getByRole('button', { name: 'Keep' }).click();
	assert.equal((await asked()).status, 200);
	await line.getByRole('button', { name: 'Revoke' }).click();
	await page.locator('dialog#sure').getByRole('button', { name: 'Revoke' }).click();
	await until(async () => (await asked()).status === 401, 'the next request is refused');
	await page.getByText('“phone shortcut” is revoked.').waitFor();
	assert.deepEqual(page.faults, []);
	await page.context().close();
});

test('session_revoked_elsewhere_ends_here', async () => {
	const [phone, desk] = [await ann(), await ann()];
	await desk.getByRole('link', { name: 'Signed-in devices' }).click();
	const lines = desk.locator('.parts li');
	await desk.getByText('Chrome on Linux (this one)').waitFor();
	const before = await lines.count();
	assert.ok(before >= 2);
	await desk.getByRole('button', { name: 'End all others' }).click();
	await desk.locator('dialog#sure').getByRole('button', { name: 'End them' }).click();
	await until(async () => await lines.count() === 1, 'one is left');
	await phone.getByRole('link', { name: 'Convert' }).click();
	await phone.locator('#banner').getByText('Your sign-in has run out').waitFor();
	assert.equal((await phone.reload()).url().includes('/login'), true);
	await desk.reload();
	await desk.getByText('(this one)').waitFor();
	await Promise.all([phone.context().close(), desk.context().close()]);
});

test('usage_adds_up_and_a_profile_is_kept', async () => {
	const page = await ann();
	await page.getByLabel('Company').fill('Hill & Co');
	await page.getByRole('button', { name: 'Save' }).click();
	await page.getByText('Saved.').waitFor();
	await page.reload();
	await until(async () => await page.getByLabel('Company').inputValue() === 'Hill & Co', 'it is kept');
	await page.getByRole('link', { name: 'Convert' }).click();
	await page.locator('#target .panel button').first().waitFor();
	await page.setInputFiles('#pick', w.wav('usage.wav', 6));
	await phase(page, 'usage.mp3', 'done');
	await page.getByRole('button', { name: 'Account ann@example.org' }).click();
	await page.getByRole('link', { name: 'Usage', exact: true }).click();
	await page.getByText('1 conversion', { exact: true }).waitFor();
	assert.equal(await page.locator('#account').isVisible(), false, 'the menu closes behind who has chosen');
	await page.getByText('0.1 minutes of sound').waitFor();
	await page.context().close();
});

test('signing_in_again_in_another_tab_lets_this_one_go_on', async () => {
	const [phone, desk] = [await ann({ at: '/upload/account' }), await ann()];
	await phone.getByRole('link', { name: 'Convert' }).click();
	await phone.locator('#target .panel button').first().waitFor();
	await desk.getByRole('link', { name: 'Signed-in devices' }).click();
	await desk.getByRole('button', { name: 'End all others' }).click();
	await desk.locator('dialog#sure').getByRole('button', { name: 'End them' }).click();
	await until(async () => await desk.locator('.parts li').count() === 1, 'one is left');
	await phone.setInputFiles('#pick', w.wav('again.wav', 1));
	await phone.locator('#banner').getByText('Your sign-in has run out').waitFor();
	const [tab] = await Promise.all([phone.context().waitForEvent('page'), phone.getByRole('button', { name: 'Sign in again' }).click()]);
	await tab.getByLabel('E-mail').fill('ann@example.org');
	await tab.getByLabel('Password').fill(PASSWORD);
	await Promise.all([tab.waitForEvent('close'), tab.getByRole('button', { name: 'Sign in', exact: true }).click()]);
	await phase(phone, 'again.mp3', 'done');
	assert.deepEqual(phone.faults, []);
	await Promise.all([phone.context().close(), desk.context().close()]);
});

test('a_file_dropped_in_anns_tab_does_not_become_bobs', async () => {
	const page = await ann();
	await page.getByRole('link', { name: 'Convert' }).click();
	await page.locator('#target .panel button').first().waitFor();
	const tab = await becomeBob(page);
	await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
	await page.locator('#banner').getByText('You are now signed in as bob@example.org').waitFor();
	await page.setInputFiles('#pick', w.wav('anns own.wav', 1));
	await row(page, 'anns own.wav').getByText('another account').waitFor();
	assert.equal((await ofBob(tab, '/jobs')).total, 0);
	await page.context().close();
});

test('a_key_asked_for_in_anns_tab_is_not_made_for_bob', async () => {
	const page = await ann({ at: '/upload/account/keys' });
	await newKey(page);
	await page.getByLabel('Name').fill('meant for ann');
	const tab = await becomeBob(page);
	await page.getByRole('button', { name: 'Make the key' }).click();
	await page.locator('#banner').getByText('You are now signed in as bob@example.org').waitFor();
	assert.equal(await page.locator('.fresh code').count(), 0);
	assert.deepEqual((await ofBob(tab, '/keys')).keys, []);
	await page.context().close();
});

test('what_is_pressed_twice_is_done_once_and_a_lost_answer_is_told_of', async () => {
	const page = await ann({ at: '/upload/account/keys' });
	await newKey(page);
	await page.getByLabel('Name').fill('twice');
	await page.route('**/api/v1/keys', async (route) => {
		if (route.request().method() === 'POST') await new Promise((resolve) => { setTimeout(resolve, 1000); });
		await route.fallback();
	});
	const make = page.getByRole('button', { name: 'Make the key' });
	await make.click();
	await make.click();
	await page.locator('.fresh code').waitFor();
	await page.waitForTimeout(1500);
	assert.equal(await page.locator('.parts li', { hasText: 'twice' }).count(), 1);
	await page.getByRole('button', { name: 'I have stored it' }).click();
	await page.unroute('**/api/v1/keys');
	await page.route('**/api/v1/keys', async (route) => {
		if (route.request().method() !== 'POST') return route.fallback();
		await route.fetch();
		return route.abort();
	});
	await newKey(page);
	await page.getByLabel('Name').fill('nobody heard');
	await make.click();
	await page.getByRole('alert').getByText('The server did not answer.').waitFor();
	await page.locator('.parts li', { hasText: 'nobody heard' }).waitFor();
	await page.unroute('**/api/v1/keys');
	// Keyboard: who revokes one is at the next.
	await page.getByRole('button', { name: 'Revoke nobody heard' }).focus();
	await page.keyboard.press('Enter');
	await page.locator('dialog#sure').getByRole('button', { name: 'Revoke' }).click();
	await page.getByText('“nobody heard” is revoked.').waitFor();
	assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'BODY');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});

test('the_account_menu_says_who_is_in_and_works_by_keyboard', async () => {
	const page = await ann({ at: '/upload/account/keys' });
	const menu = page.getByRole('button', { name: 'Account ann@example.org' });
	await menu.focus();
	await page.keyboard.press('Enter');
	await page.locator('#account').getByText('ann@example.org').waitFor();
	assert.equal(await page.locator('#account').getByRole('link', { name: 'Audit log' }).count(), 0);
	assert.equal(await page.locator('#account [aria-current]').textContent(), 'API keys');
	await page.keyboard.press('Tab');
	assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Account');
	await page.keyboard.press('Escape');
	assert.equal(await page.locator('#account').isVisible(), false);
	assert.equal(await page.evaluate(() => document.activeElement.id), 'me');
	await page.setViewportSize({ width: 390, height: 800 });
	await menu.click();
	await page.locator('#account').getByRole('link', { name: 'Usage' }).click();
	await page.getByRole('heading', { name: 'Usage' }).waitFor();
	assert.equal(await page.locator('#account').isVisible(), false);
	await menu.click();
	if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/menu-390.png` });
	await page.locator('#account').getByRole('button', { name: 'Sign out' }).click();
	await page.waitForURL('**/login');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});

test('who_has_a_password_gives_it_in_place_and_all_goes_on', async () => {
	const page = await ann({ email: 'cy@example.org' });
	const word = 'A long word 7';
	await page.getByLabel('New password').fill(word);
	await page.getByRole('button', { name: 'Change password' }).click();
	await page.getByText('The password is changed.').waitFor();
	await page.getByLabel('Current password').waitFor();
	await page.getByRole('link', { name: 'Convert' }).click();
	await page.locator('#target .panel button').first().waitFor();
	await page.context().clearCookies();
	await page.setInputFiles('#pick', w.wav('in place.wav', 1));
	await page.locator('#banner').getByText('Your sign-in has run out').waitFor();
	await page.getByRole('button', { name: 'Sign in again' }).click();
	const box = page.locator('dialog#back');
	await box.getByText('cy@example.org').waitFor();
	await box.getByLabel('Password').fill('not this one 1');
	await box.getByRole('button', { name: 'Sign in', exact: true }).click();
	await box.getByText('The password is wrong.').waitFor();
	// A redirect that is a proxy's, or loses the cookie, lets nobody in.
	await page.route('**/login', (route) => route.fulfill({ status: 302, headers: { Location: '/upload' } }));
	await box.getByLabel('Password').fill('anything 1');
	await page.keyboard.press('Enter');
	await box.getByText('It did not work just now.').waitFor();
	await page.unroute('**/login');
	if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/again-1280.png` });
	await box.getByLabel('Password').fill(word);
	await page.keyboard.press('Enter');
	await phase(page, 'in place.mp3', 'done');
	assert.equal(page.context().pages().length, 1, 'no other tab was needed');
	assert.equal(await box.isVisible(), false);
	assert.equal(await box.getByLabel('Password').inputValue(), '', 'nothing of it stays');
	assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'BODY');
	assert.equal(await page.locator('#banner').isVisible(), false);
	assert.deepEqual(page.faults, []);
	await page.context().close();
});

test('rows_wait_where_the_plan_is_used_up_and_go_on', async () => {
	const page = await ann();
	await page.getByRole('link', { name: 'Convert' }).click();
	await page.locator('#target .panel button').first().waitFor();
	await page.setInputFiles('#pick', w.wav('has room.wav', 1));
	await phase(page, 'has room.mp3', 'done');
	let refuses = true;
	const said = 'The plan\'s 3 MB are full; deleting old jobs makes room.';
	await page.route('**/upload', (route) => (refuses && route.request().method() === 'POST' ? route.fulfill({ status: 402, contentType: 'application/problem+json', body: JSON.stringify({ code: 'plan_limit', detail: said }) }) : route.fallback()));
	await page.setInputFiles('#pick', w.wav('too many.wav', 1));
	await page.locator('#banner').getByText(said).waitFor();
	await row(page, 'too many.wav').getByText('the plan’s limit is reached').waitFor();
	if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/plan-1280.png` });
	await page.getByRole('button', { name: 'See usage' }).click();
	await page.getByRole('heading', { name: 'Usage' }).waitFor();
	await page.goBack();
	refuses = false;
	await page.waitForTimeout(500);
	await row(page, 'too many.wav').getByText('the plan’s limit is reached').waitFor();
	// Taking out what does not fit lets the others try.
	refuses = true;
	await page.setInputFiles('#pick', w.wav('fits.wav', 1));
	await row(page, 'fits.wav').getByText('the plan’s limit is reached').waitFor();
	refuses = false;
	await row(page, 'too many.wav').getByRole('button', { name: /^Cancel/ }).click();
	await phase(page, 'fits.mp3', 'done');
	refuses = true;
	await page.setInputFiles('#pick', w.wav('more.wav', 1));
	await row(page, 'more.wav').getByText('the plan’s limit is reached').waitFor();
	refuses = false;
	// Deleting something makes room: what waits goes on.
	await row(page, 'has room.mp3').getByRole('button', { name: /^More/ }).click();
	await page.getByRole('menuitem', { name: 'Delete now' }).click();
	await phase(page, 'more.mp3', 'done');
	assert.equal(await page.locator('#banner').isVisible(), false);
	assert.deepEqual(page.faults, []);
	await page.context().close();
});

test('a_view_that_failed_comes_back_after_signing_in_again', async () => {
	const page = await ann({ at: '/upload/account' });
	await page.getByRole('link', { name: 'Usage' }).waitFor();
	await page.context().clearCookies();
	await page.getByRole('link', { name: 'Usage' }).click();
	await page.getByText('Your sign-in has run out.').first().waitFor();
	const [tab] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('button', { name: 'Sign in again' }).click()]);
	await tab.waitForURL('**/login?next=**');
	await Promise.all([tab.waitForEvent('close'), enter(tab, 'ann@example.org')]);
	await page.getByText('minutes of sound').waitFor();
	assert.equal(await page.locator('#banner').isVisible(), false);
	await page.context().close();
});

test('audit_is_for_admins', async () => {
	const page = await ann();
	await page.getByRole('link', { name: 'API keys' }).waitFor();
	assert.equal(await page.getByRole('link', { name: 'Audit log' }).count(), 0);
	await page.goto(`${w.server.base}/upload/admin/audit`);
	await page.getByText('You may not do this.').waitFor();
	const admin = await w.page({ at: '/upload/admin/audit' });
	await admin.getByText('The chain is whole').waitFor();
	assert.ok(await admin.locator('.parts li', { hasText: 'sign_in' }).count() > 0);
	await admin.getByLabel('What').fill('link.issue');
	await admin.getByRole('button', { name: 'Show', exact: true }).click();
	await until(async () => await admin.locator('.parts li', { hasText: 'sign_in' }).count() === 0, 'the others are not shown');
	assert.ok(await admin.locator('.parts li', { hasText: 'link.issue' }).count() > 0);
	const [saved] = await Promise.all([admin.waitForEvent('download'), admin.getByRole('button', { name: 'Export' }).click()]);
	const entries = fs.readFileSync(await saved.path(), 'utf8').trim().split('\n').map((one) => JSON.parse(one));
	assert.equal(saved.suggestedFilename(), 'audit.jsonl');
	assert.deepEqual([...new Set(entries.map(({ action }) => action))], ['link.issue']);
	await admin.getByRole('link', { name: 'Accounts' }).click();
	await admin.locator('.parts li', { hasText: 'ann@example.org' }).getByRole('button', { name: 'Disable' }).click();
	await admin.locator('dialog#sure').getByRole('button', { name: 'Disable' }).click();
	await admin.locator('.parts li', { hasText: 'ann@example.org' }).getByText('disabled').waitFor();
	assert.equal((await page.reload()).url().includes('/login'), true, 'shut at the next request');
	await admin.locator('.parts li', { hasText: 'ann@example.org' }).getByRole('button', { name: 'Enable' }).click();
	await admin.locator('.parts li', { hasText: 'ann@example.org' }).getByRole('button', { name: 'Disable' }).waitFor();
	assert.deepEqual(admin.faults, []);
	await Promise.all([page.context().close(), admin.context().close()]);
});

for (const colorScheme of ['light', 'dark']) {
	test(`axe_finds_nothing_on_the_account_pages_${colorScheme}`, async () => {
		for (const width of [320, 390, 1280]) {
			const page = await w.page({ colorScheme, viewport: { width, height: 900 }, at: '/upload/account' });
			await page.evaluate(AXE);
			for (const name of ['Account', 'API keys', 'Signed-in devices', 'Usage', 'Audit log', 'Accounts']) {
				await page.locator('.tabs').getByRole('link', { name, exact: true }).click();
				await page.locator('.parts[aria-busy]').waitFor({ state: 'detached' });
				await page.locator('.parts .card:not([hidden])').first().waitFor();
				const { violations } = await page.evaluate(() => window.axe.run());
				assert.deepEqual(violations.map(({ id, nodes }) => `${id} ${nodes[0].html}`), [], `${name} ${width}`);
				assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} ${width} scrolls sideways`);
				if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
			}
			assert.deepEqual(page.faults, []);
			await page.context().close();
			const login = await w.page({ storageState: undefined, colorScheme, viewport: { width, height: 900 }, at: '/login' });
			await login.evaluate(AXE);
			assert.deepEqual((await login.evaluate(() => window.axe.run())).violations.map(({ id, nodes }) => `${id} ${nodes[0].html}`), []);
			if (process.env.SHOTS) await login.screenshot({ path: `${process.env.SHOTS}/login-${width}-${colorScheme}.png` });
			await login.context().close();
		}
	});
}

// Owns: how files come in and how their names are shown. Used by: npm test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { drop, phase, row, until, world } from './harness.mjs';

let w;
before(async () => { w = await world(); });
after(() => w?.stop());

test('drop_anywhere_starts_without_a_click', async () => {
	const page = await w.page();
	await drop(page, [w.wav('drop one.wav', 2), w.wav('drop two.wav', 2)], { x: 1200, y: 880 });
	await phase(page, 'drop one.mp3', 'done');
	await phase(page, 'drop two.mp3', 'done');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('the_first_drop_waits_for_no_module', async () => {
	const page = await w.page({ at: '/login' });
	const held = [];
	let open = false;
	await page.route(/\.js$/, (route) => (open || route.request().url().endsWith('/early.js') ? route.continue() : held.push(route)));
	await page.goto(`${w.server.base}/upload`, { waitUntil: 'commit' });
	await page.getByText('Drop audio anywhere').waitFor();
	await drop(page, w.wav('eager.wav', 1));
	w.wav('eager folder/inside.wav', 1);
	w.write('eager folder/cover.jpg', 'x');
	await drop(page, `${w.files}/eager folder`);
	await page.evaluate(() => {
		const data = new DataTransfer();
		data.items.add(new File([new Uint8Array(60)], 'eager paste.wav'));
		document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
	});
	await page.waitForTimeout(300);
	assert.ok(page.url().endsWith('/upload') && held.length, 'the page is still there and no module has come');
	open = true;
	for (const route of held) await route.continue();
	await phase(page, 'eager.mp3', 'done');
	await phase(page, 'inside.mp3', 'done');
	await row(page, 'eager paste.wav').waitFor();
	await drop(page, w.wav('later.wav', 1));
	await phase(page, 'later.mp3', 'done');
	assert.equal(await page.locator('.row').count(), 4, 'each file once');
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('folder_adds_its_audio_and_counts_the_rest', async () => {
	const page = await w.page();
	w.wav('folder/b.wav', 1);
	w.wav('folder/deep/a.wav', 1, 300);
	w.write('folder/cover.jpg', 'x');
	await drop(page, [`${w.files}/folder`]);
	await phase(page, 'a.mp3', 'done');
	await phase(page, 'b.mp3', 'done');
	assert.equal(await page.locator('.row').count(), 2);
	assert.match(await page.locator('.toast').innerText(), /2\s*audio files added, 1\s*other file left out/);
	await page.context().close();
});
test('an_unreadable_file_of_a_folder_does_not_lose_the_others', async () => {
	const page = await w.page({ before: (one) => one.addInitScript(() => {
		const real = DataTransferItem.prototype.webkitGetAsEntry;
		DataTransferItem.prototype.webkitGetAsEntry = function entry() {
			const made = real.call(this);
			Object.getPrototypeOf(made).constructor.prototype.createReader = () => {
				const some = [{ isFile: true, file: (ok, no) => no(new DOMException('', 'NotReadableError')) }, { isFile: true, file: (ok) => ok(new File([new Uint8Array(60)], 'whole.wav')) }, { isDirectory: true, createReader: () => ({ readEntries: (ok, no) => no(new DOMException('', 'NotReadableError')) }) }];
				return { readEntries: (ok) => ok(some.splice(0)) };
			};
			return made;
		};
	}) });
	w.wav('locked/whole.wav', 1);
	await drop(page, `${w.files}/locked`);
	await row(page, 'whole.wav').waitFor();
	assert.deepEqual(page.faults, []);
	await page.context().close();
});
test('paste_adds_files_but_not_into_a_text_field', async () => {
	const page = await w.page();
	const paste = (selector) => page.evaluate((at) => {
		const data = new DataTransfer();
		data.items.add(new File([new Uint8Array(60)], 'pasted.wav'));
		document.querySelector(at).dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
	}, selector);
	await page.getByRole('button', { name: 'Options' }).click();
	await page.locator('.field input:not([type=checkbox])').first().waitFor();
	await paste('.field input[type=text], .field input[type=number]');
	assert.equal(await row(page, 'pasted.wav').count(), 0);
	await paste('body');
	await row(page, 'pasted.wav').waitFor();
	await page.context().close();
});
test('the_same_file_is_asked_about', async () => {
	const page = await w.page();
	const file = w.wav('same.wav', 1);
	await page.setInputFiles('#pick', file);
	await phase(page, 'same.mp3', 'done');
	await page.setInputFiles('#pick', file);
	await page.getByText('same.wav is already in the list.').waitFor();
	assert.equal(await page.locator('.row').count(), 1);
	await page.getByRole('button', { name: 'Add anyway' }).click();
	await until(async () => await page.locator('.row').count() === 2, 'the second row');
	await page.context().close();
});
test('an_empty_file_is_not_sent', async () => {
	const page = await w.page();
	let posts = 0;
	page.on('request', (request) => { posts += request.method() === 'POST'; });
	await page.setInputFiles('#pick', w.write('nothing.wav', ''));
	await phase(page, 'nothing.wav', 'failed');
	await row(page, 'nothing.wav').getByText('The file is empty').waitFor();
	assert.equal(posts, 0);
	await page.context().close();
});
test('veil_ends_on_leave_and_escape', async () => {
	const page = await w.page();
	const file = w.wav('veil.wav', 1);
	// The drag is held still by a dragover every 50 ms, as a real hand does.
	const hover = () => page.evaluate(() => {
		const data = new DataTransfer();
		data.items.add(new File(['x'], 'veil.wav'));
		dispatchEvent(new DragEvent('dragover', { dataTransfer: data, clientX: 400, cancelable: true }));
	});
	const veil = page.locator('#veil');
	await drop(page, [file], { until: 'dragOver' });
	await hover();
	assert.match(await veil.innerText(), /Let go to convert\s+1\s*file to MP3/);
	await veil.waitFor({ state: 'hidden' });
	await hover();
	await page.keyboard.press('Escape');
	assert.ok(await veil.isHidden());
	await hover();
	await page.evaluate(() => dispatchEvent(new DragEvent('dragleave', { dataTransfer: new DataTransfer() })));
	assert.ok(await veil.isHidden());
	assert.equal(await row(page, 'veil.wav').count(), 0);
	await page.context().close();
});
test('no_accept_on_iphone_ipad_android', async () => {
	const agents = {
		iphone: ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1', true],
		ipad: ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15', true],
		android: ['Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36', true],
		desktop: ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36', false],
	};
	for (const [name, [userAgent, hasTouch]] of Object.entries(agents)) {
		const before = (one) => hasTouch && one.addInitScript(() => Object.defineProperty(Navigator.prototype, 'maxTouchPoints', { get: () => 5 }));
		const page = await w.page({ userAgent, hasTouch, before });
		await page.locator('.segments label').nth(2).waitFor();
		const accept = await page.locator('#pick').getAttribute('accept');
		if (name === 'desktop') assert.match(accept, /^\.\w+(,\.\w+)+$/);
		else assert.equal(accept, null, name);
		await page.context().close();
	}
});
test('names_long_rtl_override_markup_newline_are_text_and_fit', async () => {
	const names = ['مقابلة مع المهندس حول طاحونة الصوت القديمة جدا جدا.wav', `${'long name without an end '.repeat(8)}.wav`, 'evil\u202egnp.wav', '<img src=x onerror=alert(1)>.wav', 'two\nlines.wav'];
	for (const width of [390, 1280]) {
		const page = await w.page({ viewport: { width, height: 800 } });
		await page.route('**/upload', (route) => (route.request().method() === 'POST' ? undefined : route.continue()));
		await page.evaluate((list) => {
			const data = new DataTransfer();
			for (const name of list) data.items.add(new File([new Uint8Array(99)], name));
			dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
		}, names);
		await until(async () => await page.locator('.row').count() === names.length, 'all rows');
		assert.equal(await page.locator('img').count(), 0);
		for (const name of await page.locator('.row .name').all()) {
			const seen = await name.evaluate((node) => {
				const [box, bdi] = [node.getBoundingClientRect(), node.firstChild.getBoundingClientRect()];
				return { text: node.textContent, inside: bdi.right <= box.right + 1 && bdi.left >= box.left - 1, atStart: bdi.left - box.left < 1, lines: Math.round(box.height / 24), tail: node.firstChild.lastChild.getBoundingClientRect().width };
			});
			assert.ok(seen.inside && seen.atStart && seen.lines === 1, JSON.stringify(seen));
			assert.doesNotMatch(seen.text, /[\u202e\n]/);
			assert.ok(seen.text.length < 60 || seen.tail > 10, 'the ending stays');
		}
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
		page.on('dialog', (dialog) => dialog.accept());
		await page.context().close();
	}
});
test('a_setting_is_a_link_and_is_what_is_sent', async () => {
	const page = await w.page({ at: '/upload?format=flac' });
	await page.getByText('Set by a link.').waitFor();
	await page.setInputFiles('#pick', w.wav('by link.wav', 1));
	await phase(page, 'by link.flac', 'done');
	await page.getByRole('button', { name: 'Options' }).click();
	assert.match(await page.locator('.drawer code').innerText(), /^curl -H "x-api-key: \$AUDIOMILL_KEY" -F format=flac .*-F file=@input\.wav http:\/\/127\.0\.0\.1:\d+\/upload$/);
	await page.context().close();
});
test('the_eighth_tile_opens_the_full_list', async () => {
	const page = await w.page({ viewport: { width: 390, height: 800 } });
	await page.locator('.segments label').nth(2).waitFor();
	await page.setInputFiles('#pick', w.wav('tile.wav', 1));
	await page.locator('#dock-to').click();
	const sheet = page.getByRole('dialog');
	assert.equal(await sheet.locator('.tiles label').count(), 8);
	assert.equal(await sheet.locator('.tiles label').last().locator('b').innerText(), 'More …');
	assert.equal(await sheet.getByRole('combobox').count(), 1, 'no second list of formats');
	const list = sheet.getByRole('combobox', { name: 'More formats' });
	const formats = await page.evaluate(() => fetch('/api/v1/formats').then((answer) => answer.json()));
	assert.equal(await list.locator('option').count(), formats.formats.length);
	const rare = formats.formats.sort((a, b) => a.rank - b.rank).find(({ available }, i) => i >= 7 && available !== false);
	await sheet.getByRole('radio', { name: 'MP3' }).focus();
	await page.keyboard.press('Tab');
	assert.ok(await list.evaluate((node) => node === document.activeElement), 'one Tab from the tiles');
	await list.selectOption(rare.format);
	assert.equal(await sheet.locator('.tiles label').last().locator('b').innerText(), rare.label);
	assert.equal(await sheet.locator('.tiles :checked[type=radio]').count(), 0);
	await page.getByRole('button', { name: 'Done' }).click();
	assert.match(await page.locator('#dock-target').innerText(), new RegExp(`^${rare.label}`));
	await page.context().close();
});

// Owns: how files come in: drop, paste, folder, picker. Never: what becomes of them. Used by: views/convert.
/* global early */
import { $, put } from './dom.js';
import { veil as words } from './words.js';

const OTHER = /\.(jpe?g|png|gif|webp|heic|svg|bmp|tiff?|pdf|txt|md|nfo|log|cue|m3u8?|pls|docx?|xlsx?|csv|zip|rar|7z|gz|html?|json|xml|db|ini|exe|dll|url|lnk)$|^\./i;
/** Their pickers grey out recordings when given a list of types. */
const noAccept = /Android|iPhone|iPad|iPod/.test(navigator.userAgent) || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);

/** All readable files below dropped entries. */
async function walk(entries) {
	const files = [];
	for (const entry of entries) {
		if (entry.isFile) files.push(...await new Promise((resolve) => { entry.file((file) => resolve([file]), () => resolve([])); }));
		const reader = entry.isDirectory && entry.createReader();
		for (let some = [0]; reader && some.length;) {
			some = await new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
			files.push(...await walk(some));
		}
	}
	return files;
}

/** Listens for files: onfiles(files, leftOut); onveil(x or null) while they hover; target() names what they become. */
export function intake({ onfiles, onveil, target }) {
	const [picker, folder, veil] = ['#pick', '#folder', '#veil'].map((id) => $(id));
	let timer;
	const hide = () => {
		clearTimeout(timer);
		if (!veil.hidden) onveil(null);
		veil.hidden = true;
	};
	const sift = (all) => {
		const files = all.filter(({ name }) => !OTHER.test(name));
		onfiles(files, all.length - files.length);
	};
	const takeAll = async ({ files, entries }) => {
		if (entries.some((entry) => entry.isDirectory)) sift(await walk(entries));
		else onfiles(files);
	};
	const ifFiles = (handler) => (event) => {
		if (!event.dataTransfer.types.includes('Files')) return;
		event.preventDefault();
		handler(event.dataTransfer, event);
	};
	addEventListener('dragover', ifFiles((data, { clientX }) => {
		clearTimeout(timer);
		timer = setTimeout(hide, 150);
		veil.hidden = false;
		put($('p', veil), words([...data.items].filter(({ kind }) => kind === 'file').length, target()));
		onveil(clientX / innerWidth);
	}));
	addEventListener('dragleave', ({ relatedTarget }) => relatedTarget || hide());
	addEventListener('keydown', ({ key }) => key === 'Escape' && hide());
	addEventListener('drop', ifFiles((data) => {
		hide();
		takeAll(early.read(data));
	}));
	addEventListener('paste', ({ clipboardData: { files }, target: at }) => files.length && !at.matches?.('input') && onfiles([...files]));
	for (const [input, then] of [[picker, onfiles], [folder, sift]]) {
		input.onchange = () => {
			if (input.files.length) then([...input.files]);
			input.value = '';
		};
	}
	$('#folder-field').hidden = !matchMedia('(any-pointer: fine)').matches;
	early.standDown().forEach(takeAll);
	picker.onchange();
	return (endings) => { if (endings && !noAccept) picker.accept = endings.join(); };
}

// Owns: files dropped or pasted before the modules have loaded. Never: what becomes of them. Used by: index.html, intake.
/* exported early */

/** Classic and in <head>: a drop at first paint does not leave the page. intake takes over. */
const early = {
	kept: [],
	types: ['dragover', 'drop', 'paste'],
	/** What came with an event, readable only while it lasts. */
	read: ({ files, items }) => ({ files: [...files], entries: Array.from(items, (item) => item.webkitGetAsEntry()).filter(Boolean) }),
	handleEvent(event) {
		const data = event.dataTransfer || event.clipboardData;
		if (!data.types.includes('Files')) return;
		event.preventDefault();
		if (event.type !== 'dragover') early.kept.push(early.read(data));
	},
	standDown() {
		early.types.forEach((type) => removeEventListener(type, early));
		return early.kept;
	},
};
early.types.forEach((type) => addEventListener(type, early));

// Owns: one file in one POST, with its progress. Never: when, or what a failure means. Used by: upload/line.
import { ApiError, HEADERS, errorFrom, ready, renew } from '../api.js';

/** Sends a file behind its options; on: {sent(bytes), done(id), fail(ApiError)}. Returns how to abort. */
export function sendFile(file, fields, on) {
	const form = new FormData();
	for (const field of Object.entries({ ...fields, file })) form.append(...field);
	const request = new XMLHttpRequest();
	let aborted = false;
	// The body is a little longer than the file; the share of it that left is the share of the file.
	request.upload.onprogress = ({ loaded, total }) => on.sent(loaded / total * file.size);
	let again = 1;
	request.onload = () => {
		const { status, responseText: text } = request;
		const id = status === 200 && /"job_id":\s*"([^"]+)"/.exec(text)?.[1];
		// A 200 without a job is a sign-in page that was redirected to.
		if (id) on.done(id);
		// Signed in anew meanwhile: the token of the session before is none.
		else if (status === 403 && text.includes('csrf_failed') && again--) begin(renew());
		else on.fail(errorFrom(status === 200 ? 401 : status, text, request.getResponseHeader('Retry-After')));
	};
	request.onerror = () => on.fail(new ApiError({}));
	const begin = (known) => known.then(() => {
		if (aborted) return;
		request.open('POST', '/upload');
		for (const header of Object.entries(HEADERS)) request.setRequestHeader(...header);
		request.send(form);
	}, (error) => aborted || on.fail(error));
	begin(ready());
	return () => {
		aborted = true;
		request.onload = request.onerror = request.upload.onprogress = null;
		request.abort();
	};
}

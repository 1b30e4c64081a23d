-- The peaks of a job's sound, as media::waveform writes them. Beside the jobs, not in them: lists
-- read rows, and a waveform is longer than all of a row.
CREATE TABLE waveforms (
    job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    peaks  BLOB NOT NULL
) STRICT;

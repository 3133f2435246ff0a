-- What the certificate rests on, as JSON: the history, from which an independent checker works it out again. NULL for
-- transitions that ended before this was recorded.
ALTER TABLE transitions ADD COLUMN evidence TEXT;

-- What else is looked for in long tables.

-- The log by what happened, and what people did in it: both are few among many.
CREATE INDEX audit_of_kind ON audit (kind, sequence);
CREATE INDEX audit_of_people ON audit (sequence) WHERE who <> 'chorus';

-- What is too old to be kept, without reading the answers themselves.
CREATE INDEX answers_by_age ON answers (at);

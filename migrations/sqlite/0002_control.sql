-- How far in each operator is wanted, and whether a person has said that it does not come back.
ALTER TABLE members ADD COLUMN wanted TEXT NOT NULL DEFAULT 'Serving';
ALTER TABLE members ADD COLUMN unreachable BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE members SET wanted = 'Outside' WHERE NOT desired;
ALTER TABLE members DROP COLUMN desired;

-- What a transition is doing about its two ends: going, stopping (in the group `rest`) or undoing.
ALTER TABLE transitions ADD COLUMN aim TEXT NOT NULL DEFAULT 'going';
ALTER TABLE transitions ADD COLUMN rest TEXT;
ALTER TABLE transitions ADD COLUMN paused BOOLEAN NOT NULL DEFAULT FALSE;
-- Counts what people did to it, so that of two who act on the same sight of it one wins.
ALTER TABLE transitions ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- For the roll of the whole group to another algorithm: {"from": 8, "to": 13}.
ALTER TABLE transitions ADD COLUMN algorithm TEXT;

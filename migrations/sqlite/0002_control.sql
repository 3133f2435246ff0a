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

-- What was sent to an operator and is not served by each of its addresses yet. Committed before the write.
CREATE TABLE in_flight (
    zone TEXT NOT NULL REFERENCES zones (name),
    operator TEXT NOT NULL,
    kind TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    sent TEXT NOT NULL,
    PRIMARY KEY (zone, operator, kind, sent_at)
);

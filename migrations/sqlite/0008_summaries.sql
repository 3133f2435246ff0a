-- What lists of zones filter and sort by, apart from the zones: those rows are wide, and SQLite reads through all of a row
-- for a column at its end. Written in the same transaction as the status, by what the engine makes of it.
CREATE TABLE zone_summaries (
    zone TEXT NOT NULL PRIMARY KEY REFERENCES zones (name),
    -- A running transition's state, or `rest`, `unsettled`, `exposed`.
    state TEXT NOT NULL,
    -- The code of what is awaited, or empty.
    reason TEXT NOT NULL,
    -- When it came into this state for this reason.
    since BIGINT NOT NULL,
    -- When the wait ends, where that is known.
    until BIGINT,
    parent_zone TEXT NOT NULL,
    -- Whether it waits for somebody.
    attention BOOLEAN NOT NULL,
    -- Since when the parent is waited for, once that is longer than is usual.
    late_since BIGINT
) WITHOUT ROWID;

CREATE INDEX summaries_by_state ON zone_summaries (state, zone);
CREATE INDEX summaries_by_reason ON zone_summaries (reason, zone);
CREATE INDEX summaries_by_parent ON zone_summaries (parent_zone, zone);
CREATE INDEX summaries_by_attention ON zone_summaries (attention, zone);
CREATE INDEX summaries_waiting ON zone_summaries (attention, since, zone);
CREATE INDEX summaries_ending ON zone_summaries (state, until, zone);
CREATE INDEX summaries_late ON zone_summaries (late_since, zone) WHERE late_since IS NOT NULL;
CREATE INDEX members_by_operator ON members (operator, zone);
CREATE INDEX transitions_running ON transitions (zone) WHERE state = 'running';

-- How many zones are in each state: kept, never counted.
CREATE TABLE zone_counts (
    state TEXT NOT NULL PRIMARY KEY,
    zones BIGINT NOT NULL
);

-- Operators of which an address does not answer for a zone.
CREATE TABLE zone_troubles (
    zone TEXT NOT NULL REFERENCES zones (name),
    operator TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (zone, operator)
);

CREATE INDEX troubles_by_operator ON zone_troubles (operator, zone);

CREATE TABLE trouble_counts (
    operator TEXT NOT NULL PRIMARY KEY,
    zones BIGINT NOT NULL
);

-- As far as it can be read here; each zone's next turn puts it right.
INSERT INTO zone_summaries (zone, state, reason, since, until, parent_zone, attention, late_since)
SELECT name,
       CASE WHEN running.paused THEN 'paused'
            WHEN running.zone IS NOT NULL THEN 'acting'
            WHEN json_valid(status) AND json_extract(status, '$.settled') AND json_extract(status, '$.trouble') IS NULL
                 AND json_extract(status, '$.exposures[0]') IS NULL THEN 'rest'
            ELSE 'unsettled' END,
       '', COALESCE(running.started_at, created_at), NULL,
       CASE WHEN json_valid(status) THEN COALESCE(json_extract(status, '$.parent_zone'), '') ELSE '' END,
       FALSE, NULL
FROM zones LEFT JOIN transitions AS running ON running.zone = zones.name AND running.state = 'running';

INSERT INTO zone_counts (state, zones) SELECT state, COUNT(*) FROM zone_summaries GROUP BY state;

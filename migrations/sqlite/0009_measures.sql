-- How long parents took: from the moment at which every address served what asks for it (CDS or CSYNC), until every server
-- of the parent showed it. One row for each wait that came to its end, however often that is told.
CREATE TABLE parent_measures (
    parent TEXT NOT NULL,
    zone TEXT NOT NULL REFERENCES zones (name),
    -- `ds` or `ns`.
    kind TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    acted_at BIGINT NOT NULL,
    PRIMARY KEY (zone, kind, asked_at)
);

CREATE INDEX parent_measures_of_parent ON parent_measures (parent, acted_at);

-- How long each step of a transition took. A step that a person interrupted is not kept: it came to no end.
CREATE TABLE step_measures (
    transition_id TEXT NOT NULL REFERENCES transitions (id),
    -- As in `model/group/decision.rs`, in kebab-case; what it is called depends on the transition.
    step TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (transition_id, began_at)
);

CREATE INDEX step_measures_ended ON step_measures (ended_at);

-- When it was to end, as it began: if nobody is late, and as it was expected.
ALTER TABLE transitions ADD COLUMN forecast_earliest BIGINT;
ALTER TABLE transitions ADD COLUMN forecast_expected BIGINT;
-- Days are counted from these alone.
CREATE INDEX transitions_started ON transitions (started_at, zone);
CREATE INDEX transitions_ended ON transitions (ended_at, state, zone);

-- What the list of parents counts, out of the JSON beside it: kept by triggers, so that it is never another than what it is
-- read from, and so that an index alone can be counted (which it cannot with generated columns). A damaged status is as
-- good as none.
ALTER TABLE zones ADD COLUMN parent_name TEXT NOT NULL DEFAULT '';
ALTER TABLE zones ADD COLUMN parent_awaited BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE zones ADD COLUMN parent_mode TEXT NOT NULL DEFAULT '';
ALTER TABLE zones ADD COLUMN parent_pipeline_s BIGINT NOT NULL DEFAULT 0;
CREATE INDEX zones_of_parents ON zones (parent_name, parent_mode, parent_awaited, parent_pipeline_s, name);

CREATE VIEW parents_of_zones AS SELECT
    name AS zone,
    CASE WHEN json_valid(status) THEN COALESCE(json_extract(status, '$.parent_zone'), '') ELSE '' END AS parent_name,
    CASE WHEN json_valid(status) THEN json_extract(status, '$.parent_awaited') IS NOT NULL ELSE FALSE END AS parent_awaited,
    CASE WHEN json_valid(parent) THEN COALESCE(json_extract(parent, '$.mode'), '') ELSE '' END AS parent_mode,
    CASE WHEN json_valid(policy) THEN COALESCE(json_extract(policy, '$.parent_pipeline_s'), 0) ELSE 0 END AS parent_pipeline_s
FROM zones;

CREATE TRIGGER zones_parent_added AFTER INSERT ON zones BEGIN
    UPDATE zones SET (parent_name, parent_awaited, parent_mode, parent_pipeline_s) = (
        SELECT parent_name, parent_awaited, parent_mode, parent_pipeline_s FROM parents_of_zones WHERE zone = NEW.name)
    WHERE name = NEW.name;
END;

-- Most turns leave all of it as it is: then nothing is written.
CREATE TRIGGER zones_parent_changed AFTER UPDATE OF status, parent, policy ON zones
WHEN (NEW.parent_name, NEW.parent_awaited, NEW.parent_mode, NEW.parent_pipeline_s) <> (
    SELECT parent_name, parent_awaited, parent_mode, parent_pipeline_s FROM parents_of_zones WHERE zone = NEW.name)
BEGIN
    UPDATE zones SET (parent_name, parent_awaited, parent_mode, parent_pipeline_s) = (
        SELECT parent_name, parent_awaited, parent_mode, parent_pipeline_s FROM parents_of_zones WHERE zone = NEW.name)
    WHERE name = NEW.name;
END;

-- Those that were there before.
UPDATE zones SET (parent_name, parent_awaited, parent_mode, parent_pipeline_s) = (
    SELECT parent_name, parent_awaited, parent_mode, parent_pipeline_s FROM parents_of_zones WHERE zone = zones.name);

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
CREATE INDEX transitions_started ON transitions (started_at);
CREATE INDEX transitions_ended ON transitions (ended_at);

-- What the list of parents counts, out of the JSON beside it: so it is never another than what it is read from, and counting
-- reads one index and no zone. A damaged status is as good as none.
ALTER TABLE zones ADD COLUMN parent_name TEXT GENERATED ALWAYS AS
    (CASE WHEN json_valid(status) THEN COALESCE(json_extract(status, '$.parent_zone'), '') ELSE '' END) VIRTUAL;
ALTER TABLE zones ADD COLUMN parent_awaited BOOLEAN GENERATED ALWAYS AS
    (CASE WHEN json_valid(status) THEN json_extract(status, '$.parent_awaited') IS NOT NULL ELSE FALSE END) VIRTUAL;
ALTER TABLE zones ADD COLUMN parent_mode TEXT GENERATED ALWAYS AS
    (CASE WHEN json_valid(parent) THEN COALESCE(json_extract(parent, '$.mode'), '') ELSE '' END) VIRTUAL;
ALTER TABLE zones ADD COLUMN parent_pipeline_s BIGINT GENERATED ALWAYS AS
    (CASE WHEN json_valid(policy) THEN COALESCE(json_extract(policy, '$.parent_pipeline_s'), 0) ELSE 0 END) VIRTUAL;
CREATE INDEX zones_of_parents ON zones (parent_name, parent_mode, parent_awaited, parent_pipeline_s, name);

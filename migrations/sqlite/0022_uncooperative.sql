-- A person has said that the operator takes no updates any more: it is not written to.
ALTER TABLE members ADD COLUMN uncooperative BOOLEAN NOT NULL DEFAULT FALSE;

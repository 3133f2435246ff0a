-- When nobody looked at a parent's server between the first look at this version and the last one: from and until, in
-- milliseconds (JSON).
ALTER TABLE spans ADD COLUMN gaps TEXT NOT NULL DEFAULT '[]';

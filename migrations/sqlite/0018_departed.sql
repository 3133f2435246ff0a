-- The operators that left in a transition, of those that resolvers could query and that answered to the end: as JSON.
-- Empty for transitions that ended before this was recorded.
ALTER TABLE transitions ADD COLUMN departed TEXT;

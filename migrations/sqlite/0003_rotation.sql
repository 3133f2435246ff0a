-- The second slot of an operator's credential, while it is tried. Sealed as the first one.
ALTER TABLE operators ADD COLUMN next_settings TEXT;
ALTER TABLE operators ADD COLUMN next_secret BLOB;

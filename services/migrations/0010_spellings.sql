-- A live matter with the words by which it is found, as they were spelt when it was published: a catalogue of a thousand is loaded without
-- looking up a sound. `spelling` is the edition of the rules; what another edition spelt is spelt anew when it is loaded.
ALTER TABLE services.matter
  ADD COLUMN words    text[]   NOT NULL DEFAULT '{}',
  ADD COLUMN spelling smallint NOT NULL DEFAULT 0;

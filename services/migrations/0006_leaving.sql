-- A number may pass to somebody else, and a person may be erased: then nothing here says any more which phone was hers.
ALTER TABLE services.person
  ALTER COLUMN phone_sealed DROP NOT NULL,
  ADD COLUMN erased_at timestamptz;

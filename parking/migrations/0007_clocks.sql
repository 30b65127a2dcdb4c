-- What a device's clock leaves open: by how much earlier or later than `at` it may have happened.
ALTER TABLE parking.observation
  ADD COLUMN early interval NOT NULL DEFAULT '0',
  ADD COLUMN late  interval NOT NULL DEFAULT '0';

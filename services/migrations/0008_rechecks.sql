-- What was approved on a pledge that did not hold is looked at once more; its licence follows: suspended, amended, revoked.
CREATE TABLE services.case_recheck (
  case_id   uuid        NOT NULL REFERENCES services.case_file ON DELETE CASCADE,
  number    integer     NOT NULL,
  since     timestamptz NOT NULL,
  due_at    timestamptz NOT NULL,
  closed_at timestamptz,
  kept      boolean,
  made_by   text        CHECK (made_by IN ('rule', 'staff')),
  actor     uuid,
  reason    bytea,                                   -- Somebody's own words: sealed.
  PRIMARY KEY (case_id, number),
  CHECK ((closed_at IS NULL) = (kept IS NULL) AND (closed_at IS NULL) = (made_by IS NULL))
);
CREATE UNIQUE INDEX case_recheck_open ON services.case_recheck (case_id) WHERE closed_at IS NULL;

ALTER TABLE services.licence
  ADD COLUMN version      integer NOT NULL DEFAULT 1,  -- Counts up when it says something else, or holds again.
  ADD COLUMN followed     integer NOT NULL DEFAULT 0,  -- The newest revision of its case that it followed: telling it again changes nothing.
  ADD COLUMN permit       uuid,                        -- Under which id parking has its permit now.
  ADD COLUMN suspended_at timestamptz;
UPDATE services.licence SET permit = id WHERE plate_token IS NOT NULL;

ALTER TABLE services.licence_shown ADD COLUMN version integer NOT NULL DEFAULT 1;

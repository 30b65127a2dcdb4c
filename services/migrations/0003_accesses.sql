-- Every read of a person's data is a line that she can see.
CREATE TABLE services.access (
  id      uuid        PRIMARY KEY,
  person  uuid        NOT NULL REFERENCES services.person,
  at      timestamptz NOT NULL,                      -- City time.
  agency  text        NOT NULL,                      -- Who read, or for whom it was read.
  staff   uuid,                                      -- Who at that agency, when it was a person.
  purpose text        NOT NULL,
  case_id uuid,
  fields  text[]      NOT NULL CHECK (cardinality(fields) > 0)
);
CREATE INDEX access_person ON services.access (person, id DESC);
CREATE INDEX access_at ON services.access (at);

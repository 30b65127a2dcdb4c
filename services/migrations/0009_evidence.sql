-- Files that a person hands in with an application. Their content and their names lie under her own key.
CREATE TABLE services.evidence_file (
  id             uuid        PRIMARY KEY,               -- Follows by a key from case, question and content: sending it twice makes one.
  case_id        uuid        NOT NULL REFERENCES services.case_file ON DELETE CASCADE,
  person         uuid        NOT NULL REFERENCES services.person,
  field          text        NOT NULL,                  -- The pointer of the question.
  kind           text        NOT NULL CHECK (kind IN ('pdf', 'jpeg', 'png')),
  bytes          integer     NOT NULL CHECK (bytes > 0),
  about_sealed   bytea       NOT NULL,                  -- Its name and its SHA-256.
  content_sealed bytea       NOT NULL,
  at             timestamptz NOT NULL,                  -- City time.
  submitted      boolean     NOT NULL DEFAULT false     -- Handed in with the form; what never was is forgotten.
);
ALTER TABLE services.evidence_file ALTER COLUMN content_sealed SET STORAGE EXTERNAL; -- What is encrypted does not become smaller.
CREATE INDEX evidence_file_case ON services.evidence_file (case_id);
CREATE INDEX evidence_file_person ON services.evidence_file (person, at);
CREATE INDEX evidence_file_left_lying ON services.evidence_file (at) WHERE NOT submitted;

-- Which of an agency's staff has a case in hand. Whether she still may is judged when it is looked at, never stored.
ALTER TABLE services.case_file ADD COLUMN clerk uuid;
CREATE INDEX case_decided ON services.case_file (agency, decided_at DESC, id DESC) WHERE decided_at IS NOT NULL;

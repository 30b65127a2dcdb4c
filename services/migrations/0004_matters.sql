-- Matters by version, and cases. What a case holds of a person is sealed; nothing here is in clear but who, which matter, and where it stands.
CREATE TABLE services.matter_version (
  code         text        NOT NULL,
  version      text        NOT NULL CHECK (length(version) = 64), -- SHA-256 of the content, which therefore never changes.
  content      bytea       NOT NULL,
  published_at timestamptz NOT NULL,
  PRIMARY KEY (code, version)
);

CREATE TABLE services.matter (
  code         text        PRIMARY KEY,
  version      text        NOT NULL,
  published_at timestamptz NOT NULL,
  FOREIGN KEY (code, version) REFERENCES services.matter_version
);

CREATE TABLE services.case_file (
  id           uuid        PRIMARY KEY,
  person       uuid        NOT NULL REFERENCES services.person,
  matter       text        NOT NULL,
  version      text        NOT NULL,             -- A running case keeps the version it began with.
  agency       text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('draft', 'submitted', 'in_review', 'supplement', 'approved', 'rejected', 'withdrawn')),
  revision     integer     NOT NULL DEFAULT 1,
  sealed       bytea       NOT NULL,             -- The form, what the departments said, and the reasons.
  created_at   timestamptz NOT NULL,
  submitted_at timestamptz,
  due_at       timestamptz,                      -- The promise; it moves when its clock stood still.
  paused_at    timestamptz,
  decided_at   timestamptz,
  staff_waits  boolean     NOT NULL DEFAULT false, -- It lies in the inbox of its agency.
  FOREIGN KEY (matter, version) REFERENCES services.matter_version (code, version)
);
CREATE INDEX case_person ON services.case_file (person, id);
CREATE INDEX case_inbox ON services.case_file (agency, due_at, id) WHERE staff_waits;

-- What happened at each task of the flow, in order; the flow is replayed from it. A reason is somebody's own words, so it is sealed.
CREATE TABLE services.case_step (
  case_id uuid        NOT NULL REFERENCES services.case_file ON DELETE CASCADE,
  number  integer     NOT NULL,
  task    text        NOT NULL,
  word    text        NOT NULL,
  made_by text        NOT NULL CHECK (made_by IN ('rule', 'staff', 'applicant', 'time')),
  actor   uuid,
  reason  bytea,
  at      timestamptz NOT NULL,
  PRIMARY KEY (case_id, number)
);

-- `flow`: a task's time is over. `pledge`: what a department could not say is asked again. Durable, so a restart loses none.
CREATE TABLE services.case_timer (
  case_id uuid        NOT NULL REFERENCES services.case_file ON DELETE CASCADE,
  kind    text        NOT NULL CHECK (kind IN ('flow', 'pledge')),
  task    text        NOT NULL DEFAULT '',
  due_at  timestamptz NOT NULL,
  tries   integer     NOT NULL DEFAULT 0,
  PRIMARY KEY (case_id, kind, task)
);
CREATE INDEX case_timer_due ON services.case_timer (due_at);

CREATE TABLE services.letter (
  id      uuid        PRIMARY KEY,               -- Follows from the case and the step, so that it is written once.
  case_id uuid        NOT NULL REFERENCES services.case_file ON DELETE CASCADE,
  kind    text        NOT NULL,
  sealed  bytea       NOT NULL,
  at      timestamptz NOT NULL
);
CREATE INDEX letter_case ON services.letter (case_id, at);

-- Who someone is: people, their one-time codes and log-ins, their rights and their plates. Nothing here is in clear:
-- tokens are keyed hashes to compare by, sealed columns are opened with a key that is not in this database.
CREATE SCHEMA IF NOT EXISTS services;

CREATE TABLE services.person (
  id           uuid        PRIMARY KEY,
  phone_token  bytea       NOT NULL UNIQUE,
  phone_sealed bytea       NOT NULL,
  level        text        NOT NULL DEFAULT 'L1' CHECK (level IN ('L1', 'L2', 'L3')),
  created_at   timestamptz NOT NULL,
  used_at      timestamptz,                     -- To the minute; outlives the log-ins, which are forgotten after a year.
  locked_at    timestamptz                      -- Locked people cannot log in; their log-ins were ended with the lock.
);

-- A refused request writes nothing here; the newest row of a number is the only one that counts.
CREATE TABLE services.one_time_code (
  id            uuid        PRIMARY KEY,
  phone_token   bytea       NOT NULL,
  address_token bytea       NOT NULL,
  hash          bytea       NOT NULL,
  asked_at      timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  tries         smallint    NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
  used_at       timestamptz
);
CREATE INDEX one_time_code_phone ON services.one_time_code (phone_token, asked_at DESC);
CREATE INDEX one_time_code_address ON services.one_time_code (address_token, asked_at DESC);
CREATE INDEX one_time_code_asked ON services.one_time_code (asked_at DESC);

CREATE TABLE services.wrong_code (
  address_token bytea       NOT NULL,
  at            timestamptz NOT NULL
);
CREATE INDEX wrong_code_address ON services.wrong_code (address_token, at DESC);
CREATE INDEX wrong_code_at ON services.wrong_code (at);

CREATE TABLE services.session (
  id         uuid        PRIMARY KEY,
  person     uuid        NOT NULL REFERENCES services.person,
  token_hash bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  created_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at   timestamptz,
  unsure     boolean     NOT NULL DEFAULT false, -- The number was long unused: who holds it today may be a stranger.
  what       text        NOT NULL DEFAULT '',    -- "Chrome, Android": enough to know one's own log-in by.
  address    text        NOT NULL DEFAULT ''     -- A network, never a host.
);
CREATE INDEX session_person ON services.session (person, id);
CREATE INDEX session_seen ON services.session (seen_at);

CREATE TABLE services.role (
  person     uuid        NOT NULL REFERENCES services.person,
  role       text        NOT NULL CHECK (role IN ('operator', 'staff', 'admin')),
  scope      text        NOT NULL CHECK ((role = 'admin') = (scope = '')),
  granted_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE UNIQUE INDEX role_once ON services.role (person, role, scope) WHERE revoked_at IS NULL;

CREATE TABLE services.plate (
  id              uuid        PRIMARY KEY,
  person          uuid        NOT NULL REFERENCES services.person,
  plate_token     bytea       NOT NULL,
  plate_sealed    bytea       NOT NULL,
  colour          text        NOT NULL,
  nickname_sealed bytea,
  added_at        timestamptz NOT NULL,
  proved_at       timestamptz,
  auto_pay        boolean     NOT NULL DEFAULT false CHECK (proved_at IS NOT NULL OR NOT auto_pay),
  removed_at      timestamptz,
  taken           boolean     NOT NULL DEFAULT false CHECK (NOT taken OR removed_at IS NOT NULL) -- By somebody else's proof.
);
-- A plate has one proved holder at a time, and stands once in each person's list.
CREATE UNIQUE INDEX plate_one_holder ON services.plate (plate_token) WHERE proved_at IS NOT NULL AND removed_at IS NULL;
CREATE UNIQUE INDEX plate_once_each ON services.plate (person, plate_token) WHERE removed_at IS NULL;
CREATE INDEX plate_person ON services.plate (person, id);

CREATE TABLE services.proof_try (
  id     uuid        PRIMARY KEY,
  person uuid        NOT NULL REFERENCES services.person,
  what   text        NOT NULL,
  at     timestamptz NOT NULL
);
CREATE INDEX proof_try_person ON services.proof_try (person, what, at);
CREATE INDEX proof_try_at ON services.proof_try (at);

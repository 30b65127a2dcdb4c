-- Stays: what was seen of them, what they are taken to be, and what they cost.
CREATE SCHEMA IF NOT EXISTS parking;

-- What this house needs of the sites, followed from their facts.
CREATE TABLE parking.site (
  id         text    PRIMARY KEY,
  operator   text    NOT NULL,
  type       text    NOT NULL,
  counted_by text    NOT NULL,
  capacity   int     NOT NULL,
  tariff     text    NOT NULL,
  zone       text    NOT NULL,
  gated      boolean NOT NULL DEFAULT false    -- it has a gate, so its stays are told by passages and not by spots
);
CREATE INDEX site_operator ON parking.site (operator);
CREATE INDEX site_tariff ON parking.site (tariff);

-- Who holds a plate, and from when to when: debts belong to the plate and the owner's period.
CREATE TABLE parking.holder (
  plate_token bytea       NOT NULL,
  person      uuid        NOT NULL,
  since       timestamptz NOT NULL,
  until       timestamptz,                     -- none: still
  auto_pay    boolean     NOT NULL,
  PRIMARY KEY (plate_token, since, person)
);

-- Evidence, never edited. `unit` is what is folded by itself: a spot, or one plate at one site's gates.
CREATE TABLE parking.observation (
  unit         text        NOT NULL,
  at           timestamptz NOT NULL,
  id           bytea       NOT NULL,
  seq          bigint      NOT NULL,
  device       text        NOT NULL,
  lane         text        NOT NULL DEFAULT '',  -- of a gate
  what         text        NOT NULL CHECK (what IN ('occupied', 'free', 'in', 'out')),
  plate_token  bytea,
  plate_sealed bytea,
  plate_colour text        NOT NULL DEFAULT '',
  vehicle_type text        NOT NULL DEFAULT 'unknown',
  confidence   real,
  evidence     text        NOT NULL DEFAULT '',
  raw_at       timestamptz NOT NULL,
  no_clock     boolean     NOT NULL,
  PRIMARY KEY (unit, at, id)
);
CREATE INDEX observation_passage ON parking.observation (device, at) WHERE lane <> ''; -- a gate that speaks again of a passage corrects itself
CREATE INDEX observation_age ON parking.observation USING brin (at);

CREATE TABLE parking.session (
  id            uuid        PRIMARY KEY,
  unit          text        NOT NULL,
  site          text        NOT NULL,
  spot          text        NOT NULL DEFAULT '',
  plate_token   bytea,
  plate_sealed  bytea,
  plate_colour  text        NOT NULL DEFAULT '',
  vehicle_type  text        NOT NULL DEFAULT 'unknown',
  opened_by     bytea       NOT NULL,
  closed_by     bytea,
  entered_at    timestamptz NOT NULL,
  seen_left_at  timestamptz,                   -- as its own unit tells
  proven_at     timestamptz NOT NULL,          -- the last proof that this car was here
  left_at       timestamptz,                   -- after looking at where else the plate was
  state         text        NOT NULL CHECK (state IN ('open', 'closed', 'void')),
  certainty     text        NOT NULL CHECK (certainty IN ('sure', 'doubtful')),
  seen_why      text[]      NOT NULL DEFAULT '{}',
  why           text[]      NOT NULL DEFAULT '{}',
  gaps          json        NOT NULL DEFAULT '[]', -- moments at which the device lost the car and had it back
  person        uuid,
  collect       boolean     NOT NULL DEFAULT false, -- what it costs may be taken from the person's wallet unasked
  version       int         NOT NULL DEFAULT 1,
  believed_at   timestamptz,                   -- from when on the end that its own unit tells is believed
  settles_at    timestamptz,                   -- when an open session with an end has to be looked at again
  candidate     uuid,                          -- for an exit without an entry: the one stay inside that may be its own
  CHECK (left_at IS NULL OR left_at >= entered_at),
  CHECK (seen_left_at IS NULL OR seen_left_at >= entered_at),
  CHECK (state <> 'closed' OR left_at IS NOT NULL),
  CHECK (state <> 'open' OR left_at IS NULL)
);
CREATE INDEX session_unit ON parking.session (unit, entered_at);
CREATE INDEX session_plate ON parking.session (plate_token, entered_at) WHERE plate_token IS NOT NULL;
CREATE INDEX session_plate_end ON parking.session (plate_token, coalesce(seen_left_at, 'infinity')) WHERE state <> 'void' AND plate_token IS NOT NULL;
CREATE INDEX session_person ON parking.session (person, entered_at DESC, id) WHERE person IS NOT NULL;
CREATE INDEX session_site ON parking.session (site, entered_at DESC, id);
CREATE INDEX session_settles ON parking.session (settles_at) WHERE settles_at IS NOT NULL;
CREATE INDEX session_unmatched ON parking.session (site, entered_at) WHERE 'entry_missing' = ANY (why);
CREATE INDEX session_inside ON parking.session (site, coalesce(seen_left_at, 'infinity')) WHERE spot = '' AND state <> 'void';
CREATE INDEX session_unpriced ON parking.session (site) WHERE 'no_tariff' = ANY (why);
-- Never two open sessions of one spot, nor of one plate at one site's gates.
CREATE UNIQUE INDEX session_one_open ON parking.session (unit) WHERE state = 'open' AND seen_left_at IS NULL;

CREATE TABLE parking.bill (
  id             uuid        PRIMARY KEY,
  session        uuid        NOT NULL UNIQUE REFERENCES parking.session,
  site           text        NOT NULL,
  operator       text        NOT NULL,
  person         uuid,
  plate_token    bytea       NOT NULL,
  plate_sealed   bytea       NOT NULL,         -- the bill's own copy
  plate_colour   text        NOT NULL,
  vehicle_type   text        NOT NULL,
  certainty      text        NOT NULL,
  collect        boolean     NOT NULL,         -- what is owed of it may be taken from the wallet unasked
  entered_at     timestamptz NOT NULL,
  left_at        timestamptz NOT NULL,
  issued_at      timestamptz NOT NULL,
  total          bigint      NOT NULL CHECK (total >= 0),
  paid           bigint      NOT NULL CHECK (paid >= 0),
  owed           bigint      NOT NULL CHECK (owed >= 0),
  version        int         NOT NULL,
  state          text        NOT NULL CHECK (state IN ('open', 'paid', 'part_paid', 'refunded', 'void')),
  tariff         text        NOT NULL,
  tariff_version int         NOT NULL,
  tariff_sha256  text        NOT NULL,
  provisional    boolean     NOT NULL,
  lines          json        NOT NULL,
  CHECK (paid + owed = total)
);
CREATE INDEX bill_person ON parking.bill (person, issued_at DESC, id) WHERE person IS NOT NULL;
CREATE INDEX bill_operator ON parking.bill (operator, issued_at DESC, id);
CREATE INDEX bill_collect ON parking.bill (person, entered_at, id) WHERE owed > 0 AND collect;
CREATE INDEX bill_owed ON parking.bill (plate_token) WHERE owed > 0;
CREATE INDEX bill_chain ON parking.bill (plate_token, entered_at);
CREATE INDEX bill_site ON parking.bill (site, issued_at DESC, id);

-- Each version of a bill as it was: what was asked, and by which rule. A bill is evidence.
CREATE TABLE parking.bill_version (
  bill           uuid        NOT NULL REFERENCES parking.bill,
  version        int         NOT NULL,
  at             timestamptz NOT NULL,
  total          bigint      NOT NULL,
  entered_at     timestamptz NOT NULL,
  left_at        timestamptz NOT NULL,
  tariff_sha256  text        NOT NULL,
  lines          json        NOT NULL,
  PRIMARY KEY (bill, version)
);

-- Money that moved for a bill, each row with its posting; taken back is negative.
CREATE TABLE parking.payment (
  posting uuid        PRIMARY KEY,
  bill    uuid        NOT NULL REFERENCES parking.bill,
  payer   uuid        NOT NULL,
  rail    text        NOT NULL,
  amount  bigint      NOT NULL CHECK (amount <> 0),
  at      timestamptz NOT NULL
);
CREATE INDEX payment_bill ON parking.payment (bill, at);

CREATE TABLE parking.tariff (
  code           text        NOT NULL,
  version        int         NOT NULL,
  sha256         text        NOT NULL,
  effective_from timestamptz NOT NULL,
  effective_to   timestamptz NOT NULL,
  body           text        NOT NULL,         -- as published, byte for byte
  published_at   timestamptz NOT NULL,
  PRIMARY KEY (code, version)
);
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER TABLE parking.tariff ADD CONSTRAINT versions_do_not_overlap
  EXCLUDE USING gist (code WITH =, tstzrange(effective_from, effective_to) WITH &&);
CREATE FUNCTION parking.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% on %: what was published stays', TG_OP, TG_TABLE_NAME; END $$;
-- A published version changes in one way only: an open end is set, once, when its successor is published.
CREATE FUNCTION parking.refuse_tariff_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.effective_to = 'infinity' AND NEW.effective_to < 'infinity'
     AND (NEW.code, NEW.version, NEW.sha256, NEW.effective_from, NEW.body, NEW.published_at)
       = (OLD.code, OLD.version, OLD.sha256, OLD.effective_from, OLD.body, OLD.published_at) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% on %: what was published stays', TG_OP, TG_TABLE_NAME;
END $$;
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON parking.tariff FOR EACH ROW EXECUTE FUNCTION parking.refuse_tariff_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON parking.bill_version FOR EACH STATEMENT EXECUTE FUNCTION parking.refuse_change();

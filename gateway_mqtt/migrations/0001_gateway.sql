-- Who may speak, what was refused, and how each device does.
CREATE SCHEMA gateway;

CREATE TABLE gateway.device (
  id          text        PRIMARY KEY,
  site        text        NOT NULL,
  kind        text        NOT NULL CHECK (kind IN ('camera', 'gate', 'counter')),
  lanes       text[]      NOT NULL DEFAULT '{}',
  spots       text[],                         -- the spots it owns; none given: those of its site that nobody else owns
  secret_hash bytea       NOT NULL,           -- SHA-256 of 128 random bits of ours: there is nothing to guess
  added_at    timestamptz NOT NULL,
  removed_at  timestamptz
);
CREATE INDEX device_site ON gateway.device (site);

-- What this house needs of the sites, followed from their facts.
CREATE TABLE gateway.site (
  id       text PRIMARY KEY,
  operator text NOT NULL
);
CREATE TABLE gateway.spot (
  id   text PRIMARY KEY,
  site text NOT NULL
);
CREATE INDEX spot_site ON gateway.spot (site);

-- Acknowledged, since sending it again cannot help, and kept where an operator can see it.
CREATE TABLE gateway.refused (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at timestamptz NOT NULL,
  device      text        NOT NULL,
  site        text        NOT NULL,
  topic       text        NOT NULL,
  reason      text        NOT NULL,
  detail      text        NOT NULL,
  payload     bytea       NOT NULL
);
CREATE INDEX refused_site ON gateway.refused (site, id);
CREATE INDEX refused_time ON gateway.refused (received_at);

CREATE TABLE gateway.unknown_device (
  username text        NOT NULL,
  address  text        NOT NULL,
  reason   text        NOT NULL,
  first_at timestamptz NOT NULL,
  last_at  timestamptz NOT NULL,
  tries    bigint      NOT NULL DEFAULT 1,
  PRIMARY KEY (username, address)
);

CREATE TABLE gateway.device_health (
  device      text        PRIMARY KEY,
  connected   boolean     NOT NULL,
  heard_at    timestamptz NOT NULL,
  offset_s    int,
  firmware    text        NOT NULL DEFAULT '',
  readings    bigint      NOT NULL DEFAULT 0,
  plates_read bigint      NOT NULL DEFAULT 0,
  plates_due  bigint      NOT NULL DEFAULT 0, -- readings that ought to carry a plate
  refused     bigint      NOT NULL DEFAULT 0,
  seq_gaps    bigint      NOT NULL DEFAULT 0,
  no_clock    bigint      NOT NULL DEFAULT 0
);

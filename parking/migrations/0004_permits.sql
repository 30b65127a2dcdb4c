-- Which plate may park on better terms in which zone, and when: followed from the facts that grant and end permits.
CREATE TABLE parking.permit (
  id               uuid        PRIMARY KEY,
  plate_token      bytea       NOT NULL,
  zone             text        NOT NULL,
  kind             text        NOT NULL,
  name_zh          text        NOT NULL,
  name_en          text        NOT NULL,
  valid_from       timestamptz NOT NULL,  -- as granted
  valid_to         timestamptz NOT NULL,
  starts_at        timestamptz NOT NULL,  -- from when on it counts: not before it was told
  ends_at          timestamptz NOT NULL,  -- no later than valid_to; at or before starts_at it never counts
  granted_position bigint      NOT NULL,  -- the fact by which we learnt of it
  ended_position   bigint,                -- and that it ended before its time
  CHECK (ends_at <= valid_to)
);
CREATE INDEX permit_plate ON parking.permit (plate_token);

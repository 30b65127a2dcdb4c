-- What passes through the city in five minutes of an operator: kept by a follower, so that nobody who asks counts stays.
CREATE TABLE parking.pulse (
  at         timestamptz NOT NULL,
  operator   text        NOT NULL,
  arrivals   int         NOT NULL DEFAULT 0,
  departures int         NOT NULL DEFAULT 0,
  billed     bigint      NOT NULL DEFAULT 0,  -- fen, differences of corrected bills at the time of the correction
  PRIMARY KEY (at, operator)
);

-- What of a stay has been counted in it, so that what is learnt later changes it by the difference.
CREATE TABLE parking.pulse_of (
  session    uuid        PRIMARY KEY,
  operator   text        NOT NULL,
  entered_at timestamptz,
  left_at    timestamptz,
  billed     bigint      NOT NULL DEFAULT 0
);
CREATE INDEX pulse_of_left ON parking.pulse_of (coalesce(left_at, entered_at));

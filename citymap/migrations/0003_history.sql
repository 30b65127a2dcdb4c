-- How full each site was, every five minutes of city time: the line beside a site and the heat of a district. Kept for days.
CREATE TABLE citymap.moment (
  site     int         NOT NULL REFERENCES citymap.site (number),
  at       timestamptz NOT NULL,
  free     int         NOT NULL CHECK (free >= 0),
  occupied int         NOT NULL CHECK (occupied >= 0),
  capacity int         NOT NULL CHECK (capacity >= free + occupied),
  PRIMARY KEY (site, at)
);
CREATE INDEX moment_at ON citymap.moment (at);

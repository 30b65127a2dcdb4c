-- The city's sites and spots, and the last that was heard of each: where a board starts from when it has no snapshot.
CREATE SCHEMA citymap;

-- `number` is the short name inside this schema; `capacity` 0 says that nobody told it.
-- The count_ columns are the last count of a site that counts by gates or by a counter, ordered by (at, seq, device, id).
CREATE TABLE citymap.site (
  number         int              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id             text COLLATE "C" NOT NULL UNIQUE,
  name           jsonb            NOT NULL,
  type           text             NOT NULL CHECK (type IN ('on_street', 'surface', 'structure', 'underground')),
  operator       text             NOT NULL,
  counted_by     text             NOT NULL CHECK (counted_by IN ('spots', 'gates', 'counter')),
  capacity       int              NOT NULL CHECK (capacity >= 0),
  tariff         text             NOT NULL,
  zone           text             NOT NULL,
  lon            float8           NOT NULL,
  lat            float8           NOT NULL,
  max_height_cm  int,
  max_stay_s     int,
  opening_hours  text             NOT NULL,
  entrances      jsonb            NOT NULL,
  count_at       timestamptz,
  count_seq      bigint           NOT NULL DEFAULT 0,
  count_device   text COLLATE "C" NOT NULL DEFAULT '',
  count_id       bytea            NOT NULL DEFAULT '',
  count_occupied int              NOT NULL DEFAULT 0,
  count_capacity int
) WITH (fillfactor = 80);

-- Who was heard. `connections` holds the newest few of its connections: [{connection, began, lost}].
CREATE TABLE citymap.device (
  number      int              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id          text COLLATE "C" NOT NULL UNIQUE,
  site        text             NOT NULL,
  heard_at    timestamptz      NOT NULL,
  connections jsonb            NOT NULL DEFAULT '[]'
) WITH (fillfactor = 80);

-- The last_ columns are a last-writer-wins register ordered by (at, seq, device, id); last_id has sixteen bytes, always,
-- and the state is its place in free, occupied, unknown, out_of_order, so that a row is as wide as every other in a binary COPY.
CREATE TABLE citymap.spot (
  id          text COLLATE "C" PRIMARY KEY,
  site        int              NOT NULL REFERENCES citymap.site (number),
  class       text             NOT NULL CHECK (class IN ('standard', 'electric', 'accessible', 'family', 'loading', 'motorcycle')),
  lon         float8           NOT NULL,
  lat         float8           NOT NULL,
  last_state  smallint         NOT NULL DEFAULT 2 CHECK (last_state BETWEEN 0 AND 3),
  last_at     timestamptz,
  last_seq    bigint           NOT NULL DEFAULT 0,
  last_device int              REFERENCES citymap.device (number),
  last_id     bytea            NOT NULL DEFAULT '\x00000000000000000000000000000000' CHECK (octet_length(last_id) = 16)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX spot_site ON citymap.spot (site, id);

-- Passages since the last count of their site; the count takes them in, and so does the daily fold.
CREATE TABLE citymap.passage (
  site    text        NOT NULL,
  id      bytea       NOT NULL,
  at      timestamptz NOT NULL,
  change  smallint    NOT NULL CHECK (change IN (-1, 1)),
  vehicle bytea       NOT NULL,
  PRIMARY KEY (site, id)
);
CREATE INDEX passage_at ON citymap.passage (at);

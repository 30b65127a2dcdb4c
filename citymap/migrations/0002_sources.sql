-- Which source lists a site, and in which of its files it last did: what is missing in one is weak evidence, and retires nothing.
CREATE TABLE citymap.source (
  name      text        PRIMARY KEY,
  file      bigint      NOT NULL,   -- How many files of it have come.
  listed_at timestamptz NOT NULL,
  listed    int         NOT NULL    -- How many sites the last one held.
);
CREATE TABLE citymap.listing (
  source       text        NOT NULL,
  site         text        NOT NULL,
  file         bigint      NOT NULL,
  confirmed_at timestamptz NOT NULL,
  PRIMARY KEY (source, site)
);

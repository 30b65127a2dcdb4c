-- Licences: what cases ended in, and each time one is being shown. What a licence says of its holder lies under her own key.
CREATE TABLE services.licence (
  id            uuid        PRIMARY KEY,               -- Follows from the case: issuing twice makes one.
  case_id       uuid        NOT NULL UNIQUE,
  person        uuid        NOT NULL REFERENCES services.person,
  class_code    text        NOT NULL,
  name_zh       text        NOT NULL,
  name_en       text        NOT NULL,
  agency        text        NOT NULL,                  -- Whose staff may revoke it.
  issued_at     timestamptz NOT NULL,
  valid_from    timestamptz NOT NULL,
  valid_to      timestamptz NOT NULL CHECK (valid_to > valid_from),
  claims_sealed bytea       NOT NULL,
  plate_token   bytea,                                 -- Of a licence that is a parking permit: for which plate and zone.
  zone          text,
  permit_kind   text,
  revoked_at    timestamptz,
  revoked_for   text,
  CHECK ((plate_token IS NULL) = (zone IS NULL) AND (plate_token IS NULL) = (permit_kind IS NULL)),
  CHECK ((revoked_at IS NULL) = (revoked_for IS NULL))
);
CREATE INDEX licence_person ON services.licence (person, issued_at DESC, id DESC);
CREATE INDEX licence_plate ON services.licence (plate_token) WHERE plate_token IS NOT NULL;

-- A number stands in a token that is shown for a minute; the token itself is nowhere.
CREATE TABLE services.licence_shown (
  number     uuid        PRIMARY KEY,
  licence    uuid        NOT NULL REFERENCES services.licence,
  expires_at timestamptz NOT NULL
);
CREATE INDEX licence_shown_licence ON services.licence_shown (licence, expires_at);
CREATE INDEX licence_shown_expires ON services.licence_shown (expires_at);

-- A version that was published wrong stays what it was; beside it stands what it should have said. A stay costs the lower of both.
CREATE TABLE parking.tariff_correction (
  sha256       text        PRIMARY KEY,
  code         text        NOT NULL,
  version      int         NOT NULL,
  body         text        NOT NULL,         -- as given, byte for byte
  corrected_at timestamptz NOT NULL,
  FOREIGN KEY (code, version) REFERENCES parking.tariff
);
CREATE INDEX tariff_correction_of ON parking.tariff_correction (code, version);
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON parking.tariff_correction FOR EACH STATEMENT EXECUTE FUNCTION parking.refuse_change();

CREATE INDEX bill_tariff ON parking.bill (tariff, tariff_version, session);

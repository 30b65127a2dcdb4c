-- Several gateways of one city: each process is a run that says it lives, and a device's one connection is held by one run.
CREATE TABLE gateway.run (
  id      uuid        PRIMARY KEY,
  beat_at timestamptz NOT NULL
);
CREATE TABLE gateway.held (
  device     text        PRIMARY KEY,
  run        uuid        NOT NULL,
  connection uuid        NOT NULL,
  opened_at  timestamptz NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX held_run ON gateway.held (run);
CREATE INDEX held_written ON gateway.held (written_at);

-- Who is connected is who is held by a run that lives: nobody has to be disconnected after a crash.
CREATE VIEW gateway.online AS
SELECT h.device FROM gateway.held h JOIN gateway.run r ON r.id = h.run AND r.beat_at > clock_timestamp() - interval '10 seconds';

ALTER TABLE gateway.device_health DROP COLUMN connected;

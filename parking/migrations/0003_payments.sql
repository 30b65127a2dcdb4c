-- Top-ups of wallets through payment providers: what we asked for, every step it took, and what providers told us.
CREATE SCHEMA IF NOT EXISTS parking;

-- `created_at` and `changed_at` are city time; `next_poll_at` and `lease_until` are wall time.
CREATE TABLE parking.topup (
  id           uuid        PRIMARY KEY,
  person       uuid        NOT NULL,
  amount       bigint      NOT NULL CHECK (amount > 0),      -- fen
  provider     text        NOT NULL,
  number       text        NOT NULL UNIQUE CHECK (length(number) BETWEEN 6 AND 32),  -- our number at the provider (out_trade_no)
  state        text        NOT NULL CHECK (state IN ('created', 'submitted', 'unknown', 'accepted', 'absent', 'failed', 'paid')),
  cause        text        NOT NULL CHECK (cause IN ('person', 'poller', 'answer', 'query', 'notify')),  -- of the last step
  created_at   timestamptz NOT NULL,
  changed_at   timestamptz NOT NULL,
  provider_ref text,
  pay_url      text,
  polls        int         NOT NULL DEFAULT 0,
  next_poll_at timestamptz,                                  -- NULL: nothing more to ask
  lease_run    uuid,                                         -- one run of one process, never a name
  lease_until  timestamptz,
  CONSTRAINT topup_lease_whole CHECK (num_nulls(lease_run, lease_until) IN (0, 2)),
  CONSTRAINT topup_paid_is_not_asked CHECK (state <> 'paid' OR next_poll_at IS NULL),
  CONSTRAINT topup_pending_is_asked CHECK (state IN ('paid', 'failed') OR next_poll_at IS NOT NULL)
);
CREATE INDEX topup_due ON parking.topup (provider, next_poll_at) WHERE next_poll_at IS NOT NULL;
CREATE INDEX topup_pending ON parking.topup (person) WHERE state NOT IN ('paid', 'failed');

-- Every step is one row, written by the trigger below whoever moves a top-up; a step that is no edge cannot be written.
CREATE TABLE parking.topup_step (
  position bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topup    uuid        NOT NULL REFERENCES parking.topup,
  was      text,
  state    text        NOT NULL,
  cause    text        NOT NULL,
  at       timestamptz NOT NULL,
  CONSTRAINT topup_step_edge CHECK (coalesce(was, '') || '>' || state IN (
    '>created',
    'created>submitted', 'created>paid',
    'submitted>unknown', 'submitted>accepted', 'submitted>absent', 'submitted>failed', 'submitted>paid',
    'unknown>accepted', 'unknown>absent', 'unknown>failed', 'unknown>paid',
    'accepted>failed', 'accepted>paid',
    'absent>submitted', 'absent>accepted', 'absent>failed', 'absent>paid',
    'failed>paid'))
);
CREATE INDEX topup_step_topup ON parking.topup_step (topup, position);
CREATE UNIQUE INDEX topup_step_paid_once ON parking.topup_step (topup) WHERE state = 'paid';

CREATE FUNCTION parking.topup_stepped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (OLD.id, OLD.person, OLD.amount, OLD.provider, OLD.number) IS DISTINCT FROM (NEW.id, NEW.person, NEW.amount, NEW.provider, NEW.number) THEN
      RAISE EXCEPTION 'top-up %: what was asked for cannot be changed', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = NEW.state THEN RETURN NULL; END IF;
    INSERT INTO parking.topup_step (topup, was, state, cause, at) VALUES (NEW.id, OLD.state, NEW.state, NEW.cause, NEW.changed_at);
  ELSE
    INSERT INTO parking.topup_step (topup, was, state, cause, at) VALUES (NEW.id, NULL, NEW.state, NEW.cause, NEW.changed_at);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER stepped AFTER INSERT OR UPDATE ON parking.topup FOR EACH ROW EXECUTE FUNCTION parking.topup_stepped();

CREATE FUNCTION parking.topup_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %: steps and top-ups are kept', TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON parking.topup FOR EACH STATEMENT EXECUTE FUNCTION parking.topup_kept();
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON parking.topup_step FOR EACH STATEMENT EXECUTE FUNCTION parking.topup_kept();

-- What providers told us with a right signature: each message once with how often it came, also the ones that were refused.
CREATE TABLE parking.payment_notify (
  provider  text        NOT NULL,
  notify_id text        NOT NULL,
  digest    bytea       NOT NULL,  -- of the raw body: an id that comes back with another body is another message
  number    text        NOT NULL,
  key_id    text        NOT NULL,
  verdict   text        NOT NULL,
  first_at  timestamptz NOT NULL,
  last_at   timestamptz NOT NULL,
  times     int         NOT NULL DEFAULT 1,
  PRIMARY KEY (provider, notify_id, digest)
);
CREATE INDEX payment_notify_number ON parking.payment_notify (number);

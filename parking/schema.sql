-- The present schema of parking, for reading: `make schema` writes it from the migrations, nothing runs it.

CREATE SCHEMA ledger;

CREATE SCHEMA parking;

CREATE FUNCTION ledger.advanced_account(p_payable bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
DECLARE operator text := (SELECT owner FROM account WHERE id = p_payable);
BEGIN
  RETURN (open_accounts(ARRAY[7::smallint], ARRAY['advanced:' || operator]))[1];
END $$;

CREATE FUNCTION ledger.apply_posting() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE wanted bigint; got bigint;
BEGIN
  WITH moved AS MATERIALIZED (
    SELECT account, sum(debit)::bigint AS debits, sum(credit)::bigint AS credits FROM (
      SELECT d0 AS account, a0 AS debit, 0 AS credit FROM n UNION ALL SELECT c0, 0, a0 FROM n
      UNION ALL SELECT d1, a1, 0 FROM n WHERE a1 IS NOT NULL UNION ALL SELECT c1, 0, a1 FROM n WHERE a1 IS NOT NULL
      UNION ALL SELECT d2, a2, 0 FROM n WHERE a2 IS NOT NULL UNION ALL SELECT c2, 0, a2 FROM n WHERE a2 IS NOT NULL) l
    GROUP BY account ORDER BY account),
  updated AS (
    UPDATE balance b SET debits = b.debits + m.debits, credits = b.credits + m.credits FROM moved m WHERE b.account = m.account RETURNING 1)
  SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM updated) INTO wanted, got;
  IF wanted <> got THEN
    RAISE EXCEPTION 'a posting names an account that was never opened' USING ERRCODE = 'OL002';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION ledger.correct(p_id uuid[], p_digest bigint[], p_ref uuid[], p_wallet bigint[], p_receivable bigint[], p_payable bigint[], p_deferred bigint[], p_amount bigint[], p_owed bigint[], p_of uuid[], p_at timestamp with time zone[]) RETURNS TABLE(place integer, paid bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE held bigint; fee bigint; owed bigint; debt bigint; back bigint;
BEGIN
  IF cardinality(p_id) > 100 THEN
    RAISE EXCEPTION 'at most 100 corrections a call' USING ERRCODE = 'OL004';
  END IF;
  PERFORM lock_accounts(p_wallet || p_receivable || p_payable || p_deferred || (6::bigint << 48));
  FOR i IN 1..cardinality(p_id) LOOP
    CONTINUE WHEN EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id[i]);
    SELECT coalesce(sum(s.paid - s.returned), 0), coalesce(sum(s.fee), 0) INTO held, fee FROM session s WHERE s.ref = p_ref[i];
    SELECT coalesce(sum(CASE WHEN l.d = p_receivable[i] THEN l.a ELSE -l.a END), 0) INTO owed
      FROM leg l WHERE l.ref = p_ref[i] AND p_receivable[i] IN (l.d, l.c);
    debt := least(p_amount[i], p_owed[i], owed);
    back := p_amount[i] - debt;
    IF back > held THEN
      RAISE EXCEPTION 'session %: % fen to give back of % paid, % owed', p_ref[i], p_amount[i], held, owed USING ERRCODE = 'OL001';
    END IF;
    PERFORM give_back(5, p_id[i], p_digest[i], p_ref[i], p_of[i], p_at[i], p_wallet[i], p_payable[i], back, held, fee,
                      p_receivable[i], p_deferred[i], debt);
    place := i; paid := -back;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE FUNCTION ledger.give_back(p_code integer, p_id uuid, p_digest bigint, p_ref uuid, p_of uuid, p_at timestamp with time zone, p_payee bigint, p_payable bigint, p_back bigint, p_held bigint, p_fee bigint, p_receivable bigint, p_deferred bigint, p_debt bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
    AS $$
DECLARE
  fee_back bigint := CASE WHEN p_held = 0 THEN 0 ELSE p_fee - floor(p_fee::numeric * (p_held - p_back) / p_held)::bigint END;
  payee bigint := coalesce(p_payee, (7::bigint << 48) + 1);
  borne bigint := least(p_back, (SELECT credits - debits + fee_back FROM balance WHERE account = p_payable));
  missing bigint := p_back - borne;
  d bigint[] := '{}'; c bigint[] := '{}'; a bigint[] := '{}';
BEGIN
  IF missing > 0 AND borne > 0 AND p_debt > 0 AND fee_back > 0 THEN
    borne := 0; missing := p_back;
  END IF;
  IF borne > 0 THEN d := d || p_payable; c := c || payee; a := a || borne; END IF;
  IF missing > 0 THEN d := d || advanced_account(p_payable); c := c || payee; a := a || missing; END IF;
  IF p_debt > 0 THEN d := d || p_deferred; c := c || p_receivable; a := a || p_debt; END IF;
  IF fee_back > 0 THEN d := d || (6::bigint << 48); c := c || p_payable; a := a || fee_back; END IF;
  INSERT INTO posting (id, digest, code, ref, event_at, of, d0, c0, a0, d1, c1, a1, d2, c2, a2)
  VALUES (p_id, p_digest, p_code, p_ref, p_at, p_of, d[1], c[1], a[1], d[2], c[2], a[2], d[3], c[3], a[3]);
END $$;

CREATE FUNCTION ledger.joins(p_debit bigint, p_credit bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((((p_debit >> 48) * 8) + (p_credit >> 48)) = ANY (ARRAY[(13)::bigint, (21)::bigint, (41)::bigint, (42)::bigint, (47)::bigint, (57)::bigint, (58)::bigint, (63)::bigint, (28)::bigint, (35)::bigint, (27)::bigint, (17)::bigint, (10)::bigint, (46)::bigint, (53)::bigint]));

CREATE FUNCTION ledger.lock_accounts(p_account bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE locked bigint;
BEGIN
  PERFORM 1 FROM balance WHERE account = ANY (p_account) ORDER BY account FOR NO KEY UPDATE;
  GET DIAGNOSTICS locked = ROW_COUNT;
  IF locked <> (SELECT count(DISTINCT a) FROM unnest(p_account) a WHERE a IS NOT NULL) THEN
    RAISE EXCEPTION 'a request names an account that was never opened' USING ERRCODE = 'OL002';
  END IF;
END $$;

CREATE FUNCTION ledger.move_debt(p_id uuid, p_digest bigint, p_ref uuid, p_source bigint, p_target bigint, p_amount bigint, p_at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
  PERFORM lock_accounts(ARRAY[p_source, p_target]);
  IF EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id) THEN
    RETURN NULL;
  END IF;
  IF p_amount > (SELECT coalesce(sum(CASE WHEN l.d = p_source THEN l.a ELSE -l.a END), 0)
                   FROM leg l WHERE l.ref = p_ref AND p_source IN (l.d, l.c)) THEN
    RETURN 2;
  END IF;
  INSERT INTO posting (id, digest, code, ref, event_at, d0, c0, a0) VALUES (p_id, p_digest, 6, p_ref, p_at, p_target, p_source, p_amount);
  RETURN 0;
END $$;

CREATE FUNCTION ledger.open_accounts(p_kind smallint[], p_owner text[]) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE ids bigint[];
BEGIN
  FOR attempt IN 1..2 LOOP
    SELECT array_agg(a.id ORDER BY w.n) INTO ids
      FROM unnest(p_kind, p_owner) WITH ORDINALITY AS w(kind, owner, n) LEFT JOIN account a ON a.kind = w.kind AND a.owner = w.owner;
    EXIT WHEN array_position(ids, NULL) IS NULL;
    INSERT INTO account (id, kind, owner)
    SELECT (f.kind::bigint << 48) + nextval('account_seq'), f.kind, f.owner
      FROM (SELECT DISTINCT w.kind, w.owner FROM unnest(p_kind, p_owner) AS w(kind, owner)
             WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.kind = w.kind AND a.owner = w.owner) ORDER BY w.kind, w.owner) f
    ON CONFLICT (kind, owner) DO NOTHING;
  END LOOP;
  RETURN ids;
END $$;

CREATE FUNCTION ledger.open_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    AS $$
BEGIN
  INSERT INTO balance (account, low, high) SELECT n.id, k.low, k.high FROM n JOIN kind k USING (kind);
  RETURN NULL;
END $$;

CREATE FUNCTION ledger.pay_debt(p_id uuid[], p_digest bigint[], p_ref uuid[], p_wallet bigint[], p_receivable bigint[], p_payable bigint[], p_deferred bigint[], p_amount bigint[], p_at timestamp with time zone[]) RETURNS TABLE(place integer, status integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE owed bigint; enough boolean;
BEGIN
  IF cardinality(p_id) > 100 THEN
    RAISE EXCEPTION 'at most 100 debts a call' USING ERRCODE = 'OL004';
  END IF;
  PERFORM lock_accounts(p_wallet || p_receivable || p_payable || p_deferred);
  FOR i IN 1..cardinality(p_id) LOOP
    CONTINUE WHEN EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id[i]);
    SELECT coalesce(sum(CASE WHEN l.d = p_receivable[i] THEN l.a ELSE -l.a END), 0) INTO owed
      FROM leg l WHERE l.ref = p_ref[i] AND p_receivable[i] IN (l.d, l.c);
    SELECT b.low IS NULL OR b.credits - b.debits - b.low >= p_amount[i] INTO enough FROM balance b WHERE b.account = p_wallet[i];
    place := i;
    status := CASE WHEN owed < p_amount[i] THEN 2 WHEN NOT enough THEN 1 ELSE 0 END;
    IF status = 0 THEN
      INSERT INTO posting (id, digest, code, ref, event_at, d0, c0, a0, d1, c1, a1)
      VALUES (p_id[i], p_digest[i], 4, p_ref[i], p_at[i], p_wallet[i], p_payable[i], p_amount[i], p_deferred[i], p_receivable[i], p_amount[i]);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE FUNCTION ledger.pay_out(p_id uuid, p_digest bigint, p_wallet bigint, p_clearing bigint, p_at timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  held bigint;
BEGIN
  PERFORM lock_accounts(ARRAY[p_wallet, p_clearing]);
  IF EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id) THEN
    RETURN NULL;
  END IF;
  SELECT b.credits - b.debits INTO held FROM balance b WHERE b.account = p_wallet;
  IF coalesce(held, 0) <= 0 THEN
    RETURN 0;
  END IF;
  INSERT INTO posting (id, digest, code, event_at, d0, c0, a0) VALUES (p_id, p_digest, 7, p_at, p_wallet, p_clearing, held);
  RETURN held;
END $$;

CREATE FUNCTION ledger.refund(p_id uuid, p_digest bigint, p_ref uuid, p_wallet bigint, p_payment uuid, p_amount bigint, p_at timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE payable bigint; rest bigint; held bigint; fee bigint; back bigint;
BEGIN
  SELECT l.c INTO payable FROM leg l WHERE l.id = p_payment AND l.ref = p_ref AND l.code IN (1, 4) AND l.c >> 48 = 5;
  IF payable IS NULL THEN
    RETURN 0;
  END IF;
  PERFORM lock_accounts(ARRAY[p_wallet, payable, 6::bigint << 48]);
  IF EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id) THEN
    RETURN NULL;
  END IF;
  SELECT coalesce(sum(CASE WHEN l.id = p_payment THEN l.a ELSE -l.a END), 0) INTO rest FROM leg l
   WHERE l.ref = p_ref AND ((l.id = p_payment AND l.c = payable AND l.d >> 48 IN (1, 2)) OR (l.of = p_payment AND l.code = 3 AND l.c >> 48 IN (1, 2, 7)));
  SELECT s.paid - s.returned, s.fee INTO held, fee FROM session s WHERE s.ref = p_ref;
  rest := least(rest, held);
  back := coalesce(p_amount, rest);
  IF back <= 0 OR back > rest THEN
    RETURN 0;
  END IF;
  PERFORM give_back(3, p_id, p_digest, p_ref, p_payment, p_at, p_wallet, payable, back, held, fee, NULL, NULL, 0);
  RETURN back;
END $$;

CREATE FUNCTION ledger.refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  RAISE EXCEPTION '% on %: the ledger is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'OL003';
END $$;

CREATE FUNCTION ledger.settle(p_id uuid[], p_digest bigint[], p_ref uuid[], p_wallet bigint[], p_receivable bigint[], p_payable bigint[], p_deferred bigint[], p_amount bigint[], p_fee_bp integer[], p_of uuid[], p_at timestamp with time zone[]) RETURNS TABLE(place integer, paid bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE wanted bigint[]; payers bigint[]; rooms bigint[]; fee_account CONSTANT bigint := 6::bigint << 48;
BEGIN
  IF cardinality(p_id) > 100 THEN
    RAISE EXCEPTION 'at most 100 settlements a call' USING ERRCODE = 'OL004';
  END IF;
  wanted := CASE WHEN array_position(p_wallet, NULL) IS NULL THEN p_wallet ELSE p_wallet || p_receivable END;
  SELECT array_agg(l.account), array_agg(l.room) INTO payers, rooms
    FROM (SELECT b.account, b.credits - b.debits - coalesce(b.low, -(1::bigint << 60)) AS room
            FROM balance b WHERE b.account = ANY (wanted) ORDER BY b.account FOR NO KEY UPDATE) l;
  IF cardinality(payers) IS DISTINCT FROM (SELECT count(DISTINCT w) FROM unnest(wanted) w) THEN
    RAISE EXCEPTION 'a settlement names an account that was never opened' USING ERRCODE = 'OL002';
  END IF;
  RETURN QUERY WITH s AS MATERIALIZED (
    SELECT f.*, greatest(0, least(f.amount, f.room - (sum(f.amount) OVER (PARTITION BY f.wallet ORDER BY f.place) - f.amount)))::bigint AS paid
      FROM (SELECT x.*, coalesce(rooms[width_bucket(x.wallet, payers)], 0) AS room  -- payers are sorted: a binary search
              FROM unnest(p_id, p_digest, p_ref, p_wallet, p_receivable, p_payable, p_deferred, p_amount, p_fee_bp, p_of, p_at)
                   WITH ORDINALITY AS x(id, digest, ref, wallet, receivable, payable, deferred, amount, fee_bp, of, at, place)
             WHERE NOT EXISTS (SELECT 1 FROM posting e WHERE e.id = x.id)) f),
  written AS (
    INSERT INTO posting (id, digest, code, ref, event_at, of, d0, c0, a0, d1, c1, a1, d2, c2, a2)
    SELECT s.id, s.digest, 1, s.ref, s.at, s.of,
           CASE WHEN s.paid > 0 THEN s.wallet ELSE s.receivable END,
           CASE WHEN s.paid > 0 THEN s.payable ELSE s.deferred END,
           CASE WHEN s.paid > 0 THEN s.paid ELSE s.amount END,
           CASE WHEN v.split THEN s.receivable END, CASE WHEN v.split THEN s.deferred END, CASE WHEN v.split THEN s.amount - s.paid END,
           CASE WHEN v.fee > 0 THEN s.payable END, CASE WHEN v.fee > 0 THEN fee_account END, nullif(v.fee, 0)
      FROM s, LATERAL (SELECT s.paid * s.fee_bp / 10000 AS fee, s.paid > 0 AND s.paid < s.amount AS split) v ORDER BY s.place)
  SELECT s.place::int, s.paid FROM s;
END $$;

CREATE FUNCTION ledger.top_up(p_id uuid, p_digest bigint, p_wallet bigint, p_clearing bigint, p_amount bigint, p_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'ledger', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
  PERFORM lock_accounts(ARRAY[p_wallet, p_clearing]);
  IF EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id) THEN
    RETURN false;
  END IF;
  INSERT INTO posting (id, digest, code, event_at, d0, c0, a0) VALUES (p_id, p_digest, 2, p_at, p_clearing, p_wallet, p_amount);
  RETURN true;
END $$;

CREATE FUNCTION parking.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN RAISE EXCEPTION '% on %: what was published stays', TG_OP, TG_TABLE_NAME; END $$;

CREATE FUNCTION parking.refuse_tariff_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.effective_to = 'infinity' AND NEW.effective_to < 'infinity'
     AND (NEW.code, NEW.version, NEW.sha256, NEW.effective_from, NEW.body, NEW.published_at)
       = (OLD.code, OLD.version, OLD.sha256, OLD.effective_from, OLD.body, OLD.published_at) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% on %: what was published stays', TG_OP, TG_TABLE_NAME;
END $$;

CREATE FUNCTION parking.topup_kept() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  RAISE EXCEPTION '% on %: steps and top-ups are kept', TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION parking.topup_stepped() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE TABLE ledger.account (
    id bigint NOT NULL,
    kind smallint NOT NULL,
    owner text NOT NULL,
    opened timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT account_owner_check CHECK (((length(owner) >= 1) AND (length(owner) <= 200))),
    CONSTRAINT id_begins_with_kind CHECK (((id >> 48) = kind))
);

CREATE SEQUENCE ledger.account_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE ledger.balance (
    account bigint NOT NULL,
    low bigint,
    high bigint,
    debits bigint DEFAULT 0 NOT NULL,
    credits bigint DEFAULT 0 NOT NULL,
    CONSTRAINT no_overdraft CHECK (((low IS NULL) OR ((credits - debits) >= low))),
    CONSTRAINT no_overpay CHECK (((high IS NULL) OR ((credits - debits) <= high))),
    CONSTRAINT only_grows CHECK (((debits >= 0) AND (credits >= 0)))
)
WITH (fillfactor='60', autovacuum_vacuum_scale_factor='0.02');

CREATE TABLE ledger.kind (
    kind smallint NOT NULL,
    name text NOT NULL,
    low bigint,
    high bigint
);

CREATE SEQUENCE ledger.posting_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE ledger.posting (
    seq bigint DEFAULT nextval('ledger.posting_seq'::regclass) NOT NULL,
    event_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    digest bigint NOT NULL,
    d0 bigint NOT NULL,
    c0 bigint NOT NULL,
    a0 bigint NOT NULL,
    id uuid NOT NULL,
    ref uuid,
    code smallint NOT NULL,
    d1 bigint,
    c1 bigint,
    a1 bigint,
    d2 bigint,
    c2 bigint,
    a2 bigint,
    of uuid,
    CONSTRAINT legs_are_whole CHECK (((a0 > 0) AND (d0 <> c0) AND ledger.joins(d0, c0) AND ((num_nulls(d1, c1, a1) = 3) OR ((num_nulls(d1, c1, a1) = 0) AND (a1 > 0) AND (d1 <> c1) AND ledger.joins(d1, c1))) AND ((num_nulls(d2, c2, a2) = 3) OR ((num_nulls(d2, c2, a2) = 0) AND (a2 > 0) AND (d2 <> c2) AND ledger.joins(d2, c2))))),
    CONSTRAINT says_what_for CHECK ((((code >= 1) AND (code <= 7)) AND ((ref IS NOT NULL) OR (code = ANY (ARRAY[2, 7]))) AND ((of IS NOT NULL) OR (code <> 3))))
);

CREATE VIEW ledger.leg AS
 SELECT p.seq,
    p.id,
    p.ref,
    p.code,
    p.event_at,
    p.of,
    l.n,
    l.d,
    l.c,
    l.a
   FROM ledger.posting p,
    LATERAL ( VALUES (0,p.d0,p.c0,p.a0), (1,p.d1,p.c1,p.a1), (2,p.d2,p.c2,p.a2)) l(n, d, c, a)
  WHERE (l.a IS NOT NULL);

CREATE VIEW ledger.proof AS
 SELECT COALESCE(b.account, x.account) AS account,
    b.debits,
    b.credits,
    x.debits AS debits_posted,
    x.credits AS credits_posted
   FROM (ledger.balance b
     FULL JOIN ( SELECT y.account,
            (sum(y.debit))::bigint AS debits,
            (sum(y.credit))::bigint AS credits
           FROM ( SELECT leg.d AS account,
                    leg.a AS debit,
                    0 AS credit
                   FROM ledger.leg
                UNION ALL
                 SELECT leg.c,
                    0,
                    leg.a
                   FROM ledger.leg) y
          GROUP BY y.account) x ON ((x.account = b.account)))
  WHERE ((b.account IS NULL) OR (b.debits <> COALESCE(x.debits, (0)::bigint)) OR (b.credits <> COALESCE(x.credits, (0)::bigint)));

CREATE VIEW ledger.session AS
 SELECT ref,
    (COALESCE(sum(a) FILTER (WHERE ((code = ANY (ARRAY[1, 4])) AND ((c >> 48) = 5))), (0)::numeric))::bigint AS paid,
    (COALESCE(sum(a) FILTER (WHERE ((code = ANY (ARRAY[3, 5])) AND ((c >> 48) = ANY (ARRAY[(1)::bigint, (2)::bigint, (7)::bigint])))), (0)::numeric))::bigint AS returned,
    (COALESCE(sum(
        CASE
            WHEN ((c >> 48) = 6) THEN a
            WHEN ((d >> 48) = 6) THEN (- a)
            ELSE NULL::bigint
        END), (0)::numeric))::bigint AS fee,
    (COALESCE(sum(
        CASE
            WHEN ((c >> 48) = 4) THEN a
            WHEN ((d >> 48) = 4) THEN (- a)
            ELSE NULL::bigint
        END), (0)::numeric))::bigint AS owed
   FROM ledger.leg
  WHERE (ref IS NOT NULL)
  GROUP BY ref;

CREATE TABLE parking.bill (
    id uuid NOT NULL,
    session uuid NOT NULL,
    site text NOT NULL,
    operator text NOT NULL,
    person uuid,
    plate_token bytea NOT NULL,
    plate_sealed bytea NOT NULL,
    plate_colour text NOT NULL,
    vehicle_type text NOT NULL,
    certainty text NOT NULL,
    collect boolean NOT NULL,
    entered_at timestamp with time zone NOT NULL,
    left_at timestamp with time zone NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    total bigint NOT NULL,
    paid bigint NOT NULL,
    owed bigint NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    tariff text NOT NULL,
    tariff_version integer NOT NULL,
    tariff_sha256 text NOT NULL,
    provisional boolean NOT NULL,
    lines json NOT NULL,
    CONSTRAINT bill_check CHECK (((paid + owed) = total)),
    CONSTRAINT bill_owed_check CHECK ((owed >= 0)),
    CONSTRAINT bill_paid_check CHECK ((paid >= 0)),
    CONSTRAINT bill_state_check CHECK ((state = ANY (ARRAY['open'::text, 'paid'::text, 'part_paid'::text, 'refunded'::text, 'void'::text]))),
    CONSTRAINT bill_total_check CHECK ((total >= 0))
);

CREATE TABLE parking.bill_version (
    bill uuid NOT NULL,
    version integer NOT NULL,
    at timestamp with time zone NOT NULL,
    total bigint NOT NULL,
    entered_at timestamp with time zone NOT NULL,
    left_at timestamp with time zone NOT NULL,
    tariff_sha256 text NOT NULL,
    lines json NOT NULL
);

CREATE TABLE parking.holder (
    plate_token bytea NOT NULL,
    person uuid NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone,
    auto_pay boolean NOT NULL
);

CREATE TABLE parking.observation (
    unit text NOT NULL,
    at timestamp with time zone NOT NULL,
    id bytea NOT NULL,
    seq bigint NOT NULL,
    device text NOT NULL,
    lane text DEFAULT ''::text NOT NULL,
    what text NOT NULL,
    plate_token bytea,
    plate_sealed bytea,
    plate_colour text DEFAULT ''::text NOT NULL,
    vehicle_type text DEFAULT 'unknown'::text NOT NULL,
    confidence real,
    evidence text DEFAULT ''::text NOT NULL,
    raw_at timestamp with time zone NOT NULL,
    no_clock boolean NOT NULL,
    early interval DEFAULT '00:00:00'::interval NOT NULL,
    late interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT observation_what_check CHECK ((what = ANY (ARRAY['occupied'::text, 'free'::text, 'in'::text, 'out'::text])))
);

CREATE TABLE parking.payment (
    posting uuid NOT NULL,
    bill uuid NOT NULL,
    payer uuid NOT NULL,
    rail text NOT NULL,
    amount bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT payment_amount_check CHECK ((amount <> 0))
);

CREATE TABLE parking.payment_notify (
    provider text NOT NULL,
    notify_id text NOT NULL,
    digest bytea NOT NULL,
    number text NOT NULL,
    key_id text NOT NULL,
    verdict text NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    times integer DEFAULT 1 NOT NULL
);

CREATE TABLE parking.permit (
    id uuid NOT NULL,
    plate_token bytea NOT NULL,
    zone text NOT NULL,
    kind text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    granted_position bigint NOT NULL,
    ended_position bigint,
    CONSTRAINT permit_check CHECK ((ends_at <= valid_to))
);

CREATE TABLE parking.pulse (
    at timestamp with time zone NOT NULL,
    operator text NOT NULL,
    arrivals integer DEFAULT 0 NOT NULL,
    departures integer DEFAULT 0 NOT NULL,
    billed bigint DEFAULT 0 NOT NULL
);

CREATE TABLE parking.pulse_of (
    session uuid NOT NULL,
    operator text NOT NULL,
    entered_at timestamp with time zone,
    left_at timestamp with time zone,
    billed bigint DEFAULT 0 NOT NULL
);

CREATE TABLE parking.session (
    id uuid NOT NULL,
    unit text NOT NULL,
    site text NOT NULL,
    spot text DEFAULT ''::text NOT NULL,
    plate_token bytea,
    plate_sealed bytea,
    plate_colour text DEFAULT ''::text NOT NULL,
    vehicle_type text DEFAULT 'unknown'::text NOT NULL,
    opened_by bytea NOT NULL,
    closed_by bytea,
    entered_at timestamp with time zone NOT NULL,
    seen_left_at timestamp with time zone,
    proven_at timestamp with time zone NOT NULL,
    left_at timestamp with time zone,
    state text NOT NULL,
    certainty text NOT NULL,
    seen_why text[] DEFAULT '{}'::text[] NOT NULL,
    why text[] DEFAULT '{}'::text[] NOT NULL,
    gaps json DEFAULT '[]'::json NOT NULL,
    person uuid,
    collect boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    believed_at timestamp with time zone,
    settles_at timestamp with time zone,
    candidate uuid,
    CONSTRAINT session_certainty_check CHECK ((certainty = ANY (ARRAY['sure'::text, 'doubtful'::text]))),
    CONSTRAINT session_check CHECK (((left_at IS NULL) OR (left_at >= entered_at))),
    CONSTRAINT session_check1 CHECK (((seen_left_at IS NULL) OR (seen_left_at >= entered_at))),
    CONSTRAINT session_check2 CHECK (((state <> 'closed'::text) OR (left_at IS NOT NULL))),
    CONSTRAINT session_check3 CHECK (((state <> 'open'::text) OR (left_at IS NULL))),
    CONSTRAINT session_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text, 'void'::text])))
);

CREATE TABLE parking.site (
    id text NOT NULL,
    operator text NOT NULL,
    type text NOT NULL,
    counted_by text NOT NULL,
    capacity integer NOT NULL,
    tariff text NOT NULL,
    zone text NOT NULL,
    gated boolean DEFAULT false NOT NULL
);

CREATE TABLE parking.tariff (
    code text NOT NULL,
    version integer NOT NULL,
    sha256 text NOT NULL,
    effective_from timestamp with time zone NOT NULL,
    effective_to timestamp with time zone NOT NULL,
    body text NOT NULL,
    published_at timestamp with time zone NOT NULL
);

CREATE TABLE parking.tariff_correction (
    sha256 text NOT NULL,
    code text NOT NULL,
    version integer NOT NULL,
    body text NOT NULL,
    corrected_at timestamp with time zone NOT NULL
);

CREATE TABLE parking.topup (
    id uuid NOT NULL,
    person uuid NOT NULL,
    amount bigint NOT NULL,
    provider text NOT NULL,
    number text NOT NULL,
    state text NOT NULL,
    cause text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    provider_ref text,
    pay_url text,
    polls integer DEFAULT 0 NOT NULL,
    next_poll_at timestamp with time zone,
    lease_run uuid,
    lease_until timestamp with time zone,
    CONSTRAINT topup_amount_check CHECK ((amount > 0)),
    CONSTRAINT topup_cause_check CHECK ((cause = ANY (ARRAY['person'::text, 'poller'::text, 'answer'::text, 'query'::text, 'notify'::text]))),
    CONSTRAINT topup_lease_whole CHECK ((num_nulls(lease_run, lease_until) = ANY (ARRAY[0, 2]))),
    CONSTRAINT topup_number_check CHECK (((length(number) >= 6) AND (length(number) <= 32))),
    CONSTRAINT topup_paid_is_not_asked CHECK (((state <> 'paid'::text) OR (next_poll_at IS NULL))),
    CONSTRAINT topup_pending_is_asked CHECK (((state = ANY (ARRAY['paid'::text, 'failed'::text])) OR (next_poll_at IS NOT NULL))),
    CONSTRAINT topup_state_check CHECK ((state = ANY (ARRAY['created'::text, 'submitted'::text, 'unknown'::text, 'accepted'::text, 'absent'::text, 'failed'::text, 'paid'::text])))
);

CREATE TABLE parking.topup_step (
    "position" bigint NOT NULL,
    topup uuid NOT NULL,
    was text,
    state text NOT NULL,
    cause text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT topup_step_edge CHECK ((((COALESCE(was, ''::text) || '>'::text) || state) = ANY (ARRAY['>created'::text, 'created>submitted'::text, 'created>paid'::text, 'submitted>unknown'::text, 'submitted>accepted'::text, 'submitted>absent'::text, 'submitted>failed'::text, 'submitted>paid'::text, 'unknown>accepted'::text, 'unknown>absent'::text, 'unknown>failed'::text, 'unknown>paid'::text, 'accepted>failed'::text, 'accepted>paid'::text, 'absent>submitted'::text, 'absent>accepted'::text, 'absent>failed'::text, 'absent>paid'::text, 'failed>paid'::text])))
);

ALTER TABLE parking.topup_step ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME parking.topup_step_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_kind_owner_key UNIQUE (kind, owner);

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.balance
    ADD CONSTRAINT balance_pkey PRIMARY KEY (account);

ALTER TABLE ONLY ledger.kind
    ADD CONSTRAINT kind_name_key UNIQUE (name);

ALTER TABLE ONLY ledger.kind
    ADD CONSTRAINT kind_pkey PRIMARY KEY (kind);

ALTER TABLE ONLY ledger.posting
    ADD CONSTRAINT once PRIMARY KEY (id);

ALTER TABLE ONLY parking.bill
    ADD CONSTRAINT bill_pkey PRIMARY KEY (id);

ALTER TABLE ONLY parking.bill
    ADD CONSTRAINT bill_session_key UNIQUE (session);

ALTER TABLE ONLY parking.bill_version
    ADD CONSTRAINT bill_version_pkey PRIMARY KEY (bill, version);

ALTER TABLE ONLY parking.holder
    ADD CONSTRAINT holder_pkey PRIMARY KEY (plate_token, since, person);

ALTER TABLE ONLY parking.observation
    ADD CONSTRAINT observation_pkey PRIMARY KEY (unit, at, id);

ALTER TABLE ONLY parking.payment_notify
    ADD CONSTRAINT payment_notify_pkey PRIMARY KEY (provider, notify_id, digest);

ALTER TABLE ONLY parking.payment
    ADD CONSTRAINT payment_pkey PRIMARY KEY (posting);

ALTER TABLE ONLY parking.permit
    ADD CONSTRAINT permit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY parking.pulse_of
    ADD CONSTRAINT pulse_of_pkey PRIMARY KEY (session);

ALTER TABLE ONLY parking.pulse
    ADD CONSTRAINT pulse_pkey PRIMARY KEY (at, operator);

ALTER TABLE ONLY parking.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (id);

ALTER TABLE ONLY parking.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (id);

ALTER TABLE ONLY parking.tariff_correction
    ADD CONSTRAINT tariff_correction_pkey PRIMARY KEY (sha256);

ALTER TABLE ONLY parking.tariff
    ADD CONSTRAINT tariff_pkey PRIMARY KEY (code, version);

ALTER TABLE ONLY parking.topup
    ADD CONSTRAINT topup_number_key UNIQUE (number);

ALTER TABLE ONLY parking.topup
    ADD CONSTRAINT topup_pkey PRIMARY KEY (id);

ALTER TABLE ONLY parking.topup_step
    ADD CONSTRAINT topup_step_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY parking.tariff
    ADD CONSTRAINT versions_do_not_overlap EXCLUDE USING gist (code WITH =, tstzrange(effective_from, effective_to) WITH &&);

CREATE INDEX posting_c0 ON ledger.posting USING btree (c0, seq);

CREATE INDEX posting_c1 ON ledger.posting USING btree (c1, seq) WHERE (c1 IS NOT NULL);

CREATE INDEX posting_c2 ON ledger.posting USING btree (c2, seq) WHERE (c2 IS NOT NULL);

CREATE INDEX posting_d0 ON ledger.posting USING btree (d0, seq);

CREATE INDEX posting_d1 ON ledger.posting USING btree (d1, seq) WHERE (d1 IS NOT NULL);

CREATE INDEX posting_d2 ON ledger.posting USING btree (d2, seq) WHERE ((d2 IS NOT NULL) AND (code <> 1));

CREATE INDEX posting_ref ON ledger.posting USING btree (ref);

CREATE INDEX bill_chain ON parking.bill USING btree (plate_token, entered_at);

CREATE INDEX bill_collect ON parking.bill USING btree (person, entered_at, id) WHERE ((owed > 0) AND collect);

CREATE INDEX bill_operator ON parking.bill USING btree (operator, issued_at DESC, id);

CREATE INDEX bill_owed ON parking.bill USING btree (plate_token) WHERE (owed > 0);

CREATE INDEX bill_person ON parking.bill USING btree (person, issued_at DESC, id) WHERE (person IS NOT NULL);

CREATE INDEX bill_site ON parking.bill USING btree (site, issued_at DESC, id);

CREATE INDEX bill_tariff ON parking.bill USING btree (tariff, tariff_version, session);

CREATE INDEX observation_age ON parking.observation USING brin (at);

CREATE INDEX observation_passage ON parking.observation USING btree (device, at) WHERE (lane <> ''::text);

CREATE INDEX payment_bill ON parking.payment USING btree (bill, at);

CREATE INDEX payment_notify_number ON parking.payment_notify USING btree (number);

CREATE INDEX permit_plate ON parking.permit USING btree (plate_token);

CREATE INDEX pulse_of_left ON parking.pulse_of USING btree (COALESCE(left_at, entered_at));

CREATE INDEX session_inside ON parking.session USING btree (site, COALESCE(seen_left_at, 'infinity'::timestamp with time zone)) WHERE ((spot = ''::text) AND (state <> 'void'::text));

CREATE UNIQUE INDEX session_one_open ON parking.session USING btree (unit) WHERE ((state = 'open'::text) AND (seen_left_at IS NULL));

CREATE INDEX session_person ON parking.session USING btree (person, entered_at DESC, id) WHERE (person IS NOT NULL);

CREATE INDEX session_plate ON parking.session USING btree (plate_token, entered_at) WHERE (plate_token IS NOT NULL);

CREATE INDEX session_plate_end ON parking.session USING btree (plate_token, COALESCE(seen_left_at, 'infinity'::timestamp with time zone)) WHERE ((state <> 'void'::text) AND (plate_token IS NOT NULL));

CREATE INDEX session_settles ON parking.session USING btree (settles_at) WHERE (settles_at IS NOT NULL);

CREATE INDEX session_site ON parking.session USING btree (site, entered_at DESC, id);

CREATE INDEX session_unit ON parking.session USING btree (unit, entered_at);

CREATE INDEX session_unmatched ON parking.session USING btree (site, entered_at) WHERE ('entry_missing'::text = ANY (why));

CREATE INDEX session_unpriced ON parking.session USING btree (site) WHERE ('no_tariff'::text = ANY (why));

CREATE INDEX site_operator ON parking.site USING btree (operator);

CREATE INDEX site_tariff ON parking.site USING btree (tariff);

CREATE INDEX tariff_correction_of ON parking.tariff_correction USING btree (code, version);

CREATE INDEX topup_due ON parking.topup USING btree (provider, next_poll_at) WHERE (next_poll_at IS NOT NULL);

CREATE INDEX topup_pending ON parking.topup USING btree (person) WHERE (state <> ALL (ARRAY['paid'::text, 'failed'::text]));

CREATE UNIQUE INDEX topup_step_paid_once ON parking.topup_step USING btree (topup) WHERE (state = 'paid'::text);

CREATE INDEX topup_step_topup ON parking.topup_step USING btree (topup, "position");

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.account FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.posting FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();

CREATE TRIGGER apply_posting AFTER INSERT ON ledger.posting REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_posting();

CREATE TRIGGER never_by_hand BEFORE INSERT OR UPDATE ON ledger.balance FOR EACH STATEMENT WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION ledger.refuse();

CREATE TRIGGER never_gone BEFORE DELETE OR TRUNCATE ON ledger.balance FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();

CREATE TRIGGER open_balance AFTER INSERT ON ledger.account REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION ledger.open_balance();

CREATE TRIGGER immutable BEFORE DELETE OR UPDATE ON parking.bill_version FOR EACH STATEMENT EXECUTE FUNCTION parking.refuse_change();

CREATE TRIGGER immutable BEFORE DELETE OR UPDATE ON parking.tariff FOR EACH ROW EXECUTE FUNCTION parking.refuse_tariff_change();

CREATE TRIGGER immutable BEFORE DELETE OR UPDATE ON parking.tariff_correction FOR EACH STATEMENT EXECUTE FUNCTION parking.refuse_change();

CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON parking.topup FOR EACH STATEMENT EXECUTE FUNCTION parking.topup_kept();

CREATE TRIGGER kept BEFORE DELETE OR UPDATE OR TRUNCATE ON parking.topup_step FOR EACH STATEMENT EXECUTE FUNCTION parking.topup_kept();

CREATE TRIGGER stepped AFTER INSERT OR UPDATE ON parking.topup FOR EACH ROW EXECUTE FUNCTION parking.topup_stepped();

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_kind_fkey FOREIGN KEY (kind) REFERENCES ledger.kind(kind);

ALTER TABLE ONLY ledger.balance
    ADD CONSTRAINT balance_account_fkey FOREIGN KEY (account) REFERENCES ledger.account(id);

ALTER TABLE ONLY parking.bill
    ADD CONSTRAINT bill_session_fkey FOREIGN KEY (session) REFERENCES parking.session(id);

ALTER TABLE ONLY parking.bill_version
    ADD CONSTRAINT bill_version_bill_fkey FOREIGN KEY (bill) REFERENCES parking.bill(id);

ALTER TABLE ONLY parking.payment
    ADD CONSTRAINT payment_bill_fkey FOREIGN KEY (bill) REFERENCES parking.bill(id);

ALTER TABLE ONLY parking.tariff_correction
    ADD CONSTRAINT tariff_correction_code_version_fkey FOREIGN KEY (code, version) REFERENCES parking.tariff(code, version);

ALTER TABLE ONLY parking.topup_step
    ADD CONSTRAINT topup_step_topup_fkey FOREIGN KEY (topup) REFERENCES parking.topup(id);

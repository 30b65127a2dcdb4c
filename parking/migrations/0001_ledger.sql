-- The double-entry ledger. Money is integer fen. A leg moves one positive amount from the account it debits to the
-- account it credits, so an unbalanced posting cannot be written down. The application may read, and call functions.
CREATE SCHEMA ledger;

-- The kinds of account and the bounds of their balance (credits - debits). Their order is the order of locking: an id
-- begins with its kind, payers come first, and the rows everybody writes come last and are held the shortest.
CREATE TABLE ledger.kind (
  kind smallint PRIMARY KEY,
  name text     NOT NULL UNIQUE,
  low  bigint,  -- 0: debits never exceed credits
  high bigint   -- 0: credits never exceed debits
);
INSERT INTO ledger.kind (kind, name, low, high) VALUES
  (1, 'wallet',       0,    NULL),  -- what we hold for a person
  (2, 'clearing',     NULL, NULL),  -- what a payment provider holds for us
  (3, 'receivable',   NULL, 0),     -- what a plate and its owner's period owe
  (4, 'deferred',     0,    NULL),  -- what an operator has earned and nobody has paid yet
  (5, 'payable',      0,    NULL),  -- what we hold for an operator
  (6, 'platform_fee', 0,    NULL),
  (7, 'suspense',     NULL, NULL);  -- named remainders: rounding, unclaimed refunds, refunds advanced for an operator

CREATE SEQUENCE ledger.account_seq;
CREATE TABLE ledger.account (
  id     bigint      PRIMARY KEY,
  kind   smallint    NOT NULL REFERENCES ledger.kind,
  owner  text        NOT NULL CHECK (length(owner) BETWEEN 1 AND 200),
  opened timestamptz NOT NULL DEFAULT now(),
  UNIQUE (kind, owner),
  CONSTRAINT id_begins_with_kind CHECK (id >> 48 = kind)
);

-- One narrow row an account, with room on its page, since it is the only thing that is ever updated.
CREATE TABLE ledger.balance (
  account bigint PRIMARY KEY REFERENCES ledger.account,
  low     bigint,
  high    bigint,
  debits  bigint NOT NULL DEFAULT 0,
  credits bigint NOT NULL DEFAULT 0,
  CONSTRAINT only_grows   CHECK (debits >= 0 AND credits >= 0),
  CONSTRAINT no_overdraft CHECK (low IS NULL OR credits - debits >= low),
  CONSTRAINT no_overpay   CHECK (high IS NULL OR credits - debits <= high)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);

-- Which kinds of account a leg may join; whatever else a caller mixes up is refused. Debit kind * 8 + credit kind.
CREATE FUNCTION ledger.joins(p_debit bigint, p_credit bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (p_debit >> 48) * 8 + (p_credit >> 48) IN (
  13, 21,         -- wallet, clearing -> payable: paid
  41, 42, 47,     -- payable -> wallet, clearing, suspense: given back, paid out, unclaimed
  57, 58, 63,     -- suspense -> wallet, clearing, suspense: given back in advance, claimed
  28, 35, 27,     -- receivable -> deferred: a debt; deferred -> receivable: paid or taken back; between receivables: moved
  17, 10,         -- clearing -> wallet: topped up; wallet -> clearing: withdrawn
  46, 53);        -- payable -> platform_fee, and back

-- One business fact is one row with one to three legs inline: d is debited, c is credited, by a.
CREATE SEQUENCE ledger.posting_seq;
CREATE TABLE ledger.posting (
  seq        bigint      NOT NULL DEFAULT nextval('ledger.posting_seq'),
  event_at   timestamptz NOT NULL,                -- when it happened
  created_at timestamptz NOT NULL DEFAULT now(),  -- when it was booked
  digest     bigint      NOT NULL,                -- of the request: the same id with another digest is a conflict
  d0 bigint NOT NULL, c0 bigint NOT NULL, a0 bigint NOT NULL,
  id         uuid        NOT NULL,                -- made by the caller from the fact
  ref        uuid,                                -- the parking session
  code       smallint    NOT NULL,                -- 1 settled 2 topped up 3 refunded 4 debt paid 5 corrected 6 debt moved 7 paid out
  d1 bigint, c1 bigint, a1 bigint,
  d2 bigint, c2 bigint, a2 bigint,
  of         uuid,                                -- the posting before it, or the payment a refund gives back
  CONSTRAINT once PRIMARY KEY (id),
  CONSTRAINT legs_are_whole CHECK (  -- in one, since every constraint is planned anew for every statement
    a0 > 0 AND d0 <> c0 AND ledger.joins(d0, c0)
    AND (num_nulls(d1, c1, a1) = 3 OR (num_nulls(d1, c1, a1) = 0 AND a1 > 0 AND d1 <> c1 AND ledger.joins(d1, c1)))
    AND (num_nulls(d2, c2, a2) = 3 OR (num_nulls(d2, c2, a2) = 0 AND a2 > 0 AND d2 <> c2 AND ledger.joins(d2, c2)))),
  CONSTRAINT says_what_for CHECK (
    code BETWEEN 1 AND 7 AND (ref IS NOT NULL OR code IN (2, 7)) AND (of IS NOT NULL OR code <> 3))
);
CREATE INDEX posting_ref ON ledger.posting (ref);
-- An account's entries. Each account of a row stands in at least one of these; an operator's fee leg stands with its c0.
CREATE INDEX posting_d0 ON ledger.posting (d0, seq);
CREATE INDEX posting_c0 ON ledger.posting (c0, seq);
CREATE INDEX posting_d1 ON ledger.posting (d1, seq) WHERE d1 IS NOT NULL;
CREATE INDEX posting_c1 ON ledger.posting (c1, seq) WHERE c1 IS NOT NULL;
CREATE INDEX posting_d2 ON ledger.posting (d2, seq) WHERE d2 IS NOT NULL AND code <> 1;
CREATE INDEX posting_c2 ON ledger.posting (c2, seq) WHERE c2 IS NOT NULL;

CREATE VIEW ledger.leg AS
  SELECT p.seq, p.id, p.ref, p.code, p.event_at, p.of, l.n, l.d, l.c, l.a
    FROM ledger.posting p, LATERAL (VALUES (0, p.d0, p.c0, p.a0), (1, p.d1, p.c1, p.a1), (2, p.d2, p.c2, p.a2)) l(n, d, c, a)
   WHERE l.a IS NOT NULL;

-- What a session has paid, what of it came back, the platform's part of the rest, and what is still owed for it.
CREATE VIEW ledger.session AS
  SELECT ref,
         coalesce(sum(a) FILTER (WHERE code IN (1, 4) AND c >> 48 = 5), 0)::bigint AS paid,
         coalesce(sum(a) FILTER (WHERE code IN (3, 5) AND c >> 48 IN (1, 2, 7)), 0)::bigint AS returned,
         coalesce(sum(CASE WHEN c >> 48 = 6 THEN a WHEN d >> 48 = 6 THEN -a END), 0)::bigint AS fee,
         coalesce(sum(CASE WHEN c >> 48 = 4 THEN a WHEN d >> 48 = 4 THEN -a END), 0)::bigint AS owed
    FROM ledger.leg WHERE ref IS NOT NULL GROUP BY ref;

-- Any row here is an incident: a balance that is not the sum of its postings.
CREATE VIEW ledger.proof AS
  SELECT coalesce(b.account, x.account) AS account, b.debits, b.credits, x.debits AS debits_posted, x.credits AS credits_posted
    FROM ledger.balance b
    FULL JOIN (SELECT y.account, sum(y.debit)::bigint AS debits, sum(y.credit)::bigint AS credits
                 FROM (SELECT d AS account, a AS debit, 0 AS credit FROM ledger.leg UNION ALL SELECT c, 0, a FROM ledger.leg) y
                GROUP BY y.account) x ON x.account = b.account
   WHERE b.account IS NULL OR b.debits <> coalesce(x.debits, 0) OR b.credits <> coalesce(x.credits, 0);

-- Every inserted posting, one or a hundred, moves balances here and nowhere else. Rows are locked in the order of their ids:
-- only a nested loop over the index is allowed, and it is fed in order. Any other join yields an order of its own, in which
-- eight writers did deadlock, and is chosen by a guess about the number of rows that reads all balances when it is wrong.
CREATE FUNCTION ledger.apply_posting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
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
CREATE TRIGGER apply_posting AFTER INSERT ON ledger.posting REFERENCING NEW TABLE AS n
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.apply_posting();

CREATE FUNCTION ledger.open_balance() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
  INSERT INTO balance (account, low, high) SELECT n.id, k.low, k.high FROM n JOIN kind k USING (kind);
  RETURN NULL;
END $$;
CREATE TRIGGER open_balance AFTER INSERT ON ledger.account REFERENCING NEW TABLE AS n
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.open_balance();

-- A statement written by hand has trigger depth 0, those of the two triggers above have 1.
CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %: the ledger is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'OL003';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.posting FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.account FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER never_by_hand BEFORE INSERT OR UPDATE ON ledger.balance
  FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER never_gone BEFORE DELETE OR TRUNCATE ON ledger.balance FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();

-- Platform accounts with ids that functions may know.
INSERT INTO ledger.account (id, kind, owner) VALUES
  (6::bigint << 48, 6, 'platform'), ((7::bigint << 48) + 0, 7, 'rounding'), ((7::bigint << 48) + 1, 7, 'unclaimed');
SELECT setval('ledger.account_seq', 100);

-- Idempotent. Accounts that exist cost two index reads and no lock; new ones are inserted in order, so openers never deadlock.
CREATE FUNCTION ledger.open_accounts(p_kind smallint[], p_owner text[]) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
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

-- For a transaction that is about to make several calls: all accounts first, in the one order.
CREATE FUNCTION ledger.lock_accounts(p_account bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE locked bigint;
BEGIN
  PERFORM 1 FROM balance WHERE account = ANY (p_account) ORDER BY account FOR NO KEY UPDATE;
  GET DIAGNOSTICS locked = ROW_COUNT;
  IF locked <> (SELECT count(DISTINCT a) FROM unnest(p_account) a WHERE a IS NOT NULL) THEN
    RAISE EXCEPTION 'a request names an account that was never opened' USING ERRCODE = 'OL002';
  END IF;
END $$;

-- Settle at most 100 sessions with exactly the meaning of one after the other: a running sum for each wallet says what it
-- can still bear; the rest is debt. Answers what was booked now, with its place; what is missing in the answer was there already.
-- Payers (where somebody has no wallet: the receivables) are locked before postings are looked at, so the same id from two
-- connections is booked by one and seen by the other. An id stands once in a call.
CREATE FUNCTION ledger.settle(p_id uuid[], p_digest bigint[], p_ref uuid[], p_wallet bigint[], p_receivable bigint[], p_payable bigint[],
                              p_deferred bigint[], p_amount bigint[], p_fee_bp int[], p_of uuid[], p_at timestamptz[])
RETURNS TABLE (place int, paid bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
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

-- Where refunds stand that the platform paid because the operator's account could not: negative is what that operator owes.
CREATE FUNCTION ledger.advanced_account(p_payable bigint) RETURNS bigint LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE operator text := (SELECT owner FROM account WHERE id = p_payable);
BEGIN
  RETURN (open_accounts(ARRAY[7::smallint], ARRAY['advanced:' || operator]))[1];
END $$;

-- Give money back, and take back a debt, in one posting. The platform's part goes back in proportion. What the operator's
-- account cannot bear is advanced; when that would need a fourth leg, the advance bears the whole refund.
-- Accounts are locked by the caller. Not SECURITY DEFINER: called by anybody but the functions below it may not write.
CREATE FUNCTION ledger.give_back(p_code int, p_id uuid, p_digest bigint, p_ref uuid, p_of uuid, p_at timestamptz, p_payee bigint, p_payable bigint,
                                 p_back bigint, p_held bigint, p_fee bigint, p_receivable bigint, p_deferred bigint, p_debt bigint)
RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
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

-- Corrections downwards, one after the other: first the session's open debt, then what it has paid, never more than both.
CREATE FUNCTION ledger.correct(p_id uuid[], p_digest bigint[], p_ref uuid[], p_wallet bigint[], p_receivable bigint[], p_payable bigint[],
                               p_deferred bigint[], p_amount bigint[], p_owed bigint[], p_of uuid[], p_at timestamptz[])
RETURNS TABLE (place int, paid bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
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

-- Give back a part of one payment, or with no amount the rest: what it paid less what of it, and of its session, came back.
-- Answers what was given back, 0 when so much is not there, nothing when the id is taken.
CREATE FUNCTION ledger.refund(p_id uuid, p_digest bigint, p_ref uuid, p_wallet bigint, p_payment uuid, p_amount bigint, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
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

-- Pay debts, each whole or not at all, one after the other. 0 paid, 1 the payer holds too little, 2 so much is not owed (any more).
CREATE FUNCTION ledger.pay_debt(p_id uuid[], p_digest bigint[], p_ref uuid[], p_wallet bigint[], p_receivable bigint[], p_payable bigint[],
                                p_deferred bigint[], p_amount bigint[], p_at timestamptz[])
RETURNS TABLE (place int, status int) LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
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

-- Money that a provider says has come. False when the id is taken.
CREATE FUNCTION ledger.top_up(p_id uuid, p_digest bigint, p_wallet bigint, p_clearing bigint, p_amount bigint, p_at timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
BEGIN
  PERFORM lock_accounts(ARRAY[p_wallet, p_clearing]);
  IF EXISTS (SELECT 1 FROM posting e WHERE e.id = p_id) THEN
    RETURN false;
  END IF;
  INSERT INTO posting (id, digest, code, event_at, d0, c0, a0) VALUES (p_id, p_digest, 2, p_at, p_clearing, p_wallet, p_amount);
  RETURN true;
END $$;

-- A session's debt goes from one receivable to another. 0 moved, 2 so much is not owed there, nothing when the id is taken.
CREATE FUNCTION ledger.move_debt(p_id uuid, p_digest bigint, p_ref uuid, p_source bigint, p_target bigint, p_amount bigint, p_at timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;

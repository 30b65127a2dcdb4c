-- Whoever leaves gets her money back: all that a wallet holds goes out by the provider. Answers how much, 0 when it is empty, nothing when
-- the id is taken.
CREATE FUNCTION ledger.pay_out(p_id uuid, p_digest bigint, p_wallet bigint, p_clearing bigint, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
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
REVOKE ALL ON FUNCTION ledger.pay_out FROM PUBLIC;

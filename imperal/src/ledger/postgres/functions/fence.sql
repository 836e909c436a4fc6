-- Refuses an incarnation that has ended, and keeps it from ending before the commit: both by the node's lock, which the
-- end of an incarnation takes exclusively. A renewal takes no lock, and neither waits for the other. Called before any
-- row is locked.
CREATE OR REPLACE FUNCTION @.fence(p_node text, p_incarnation bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.node_key(p_node);
    v_node_id bigint;
BEGIN
    -- An older snapshot would not see an end that was committed while this one waited for the lock.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs transactions of the isolation level read committed: this one is %',
            current_setting('transaction_isolation') USING ERRCODE = '25000';
    END IF;
    -- The first attempt is an expression, which costs less than a statement.
    IF NOT pg_try_advisory_xact_lock_shared(@.node_lock(v_key)) THEN
        PERFORM pg_advisory_xact_lock_shared(@.node_lock(v_key));
    END IF;
    -- A new statement: it sees an end that was committed while this one waited for the lock.
    SELECT n.node_id INTO v_node_id FROM @.node n
    WHERE n.node_key = v_key AND n.incarnation = p_incarnation AND n.lease_until IS NOT NULL;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN v_node_id;
END $$;

-- How much an owner stores a day, and the tasks of a call.

ALTER TABLE @.owner
    -- the bytes of the owner's turns that were written on one day, and which day (since 1970, UTC)
    ADD COLUMN stored bigint NOT NULL DEFAULT 0,
    ADD COLUMN stored_day bigint NOT NULL DEFAULT 0;

CREATE INDEX task_of_call ON @.task (call_id);

-- As before, and counts the turn's bytes: in the row that is written anyway.
CREATE OR REPLACE FUNCTION @.write_turn(p_owner_id bigint, p_count int, p_turn_id uuid, p_body text) RETURNS @.stamp
LANGUAGE plpgsql AS $$
DECLARE
    v_stamp @.stamp;
    v_day bigint := @.micros() / 86400000000;
BEGIN
    UPDATE @.owner SET head = head + p_count, stored_day = v_day,
        stored = CASE WHEN stored_day = v_day THEN stored ELSE 0 END + octet_length(p_body)
    WHERE owner_id = p_owner_id
    RETURNING head, 0, owner_id, tenant_id, user_id INTO STRICT v_stamp;
    v_stamp.at := @.micros();
    INSERT INTO @.turn (turn_id, owner_id, seq, at, body)
    VALUES (p_turn_id, p_owner_id, v_stamp.seq, v_stamp.at, p_body);
    RETURN v_stamp;
END $$;

-- IM007: with what was just written the owner has stored too much today. It is undone with it.
CREATE FUNCTION @.check_stored(p_owner_id bigint, p_max_stored bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT stored FROM @.owner WHERE owner_id = p_owner_id) > p_max_stored THEN PERFORM @.refuse('IM007'); END IF;
END $$;

-- Beside those without a limit, which nodes of the version before still call. A null is no limit. What is in
-- the ledger already is refused as such first.
CREATE FUNCTION @.accept_call(
    p_node text, p_incarnation bigint, p_call_id uuid, p_tenant text, p_user text, p_turn_id uuid, p_body text,
    p_max_stored bigint
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE v_stamp @.stamp := @.accept_call(p_node, p_incarnation, p_call_id, p_tenant, p_user, p_turn_id, p_body);
BEGIN
    PERFORM @.check_stored(v_stamp.owner_id, p_max_stored);
    RETURN v_stamp;
END $$;

CREATE FUNCTION @.inject(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_turn_id uuid,
    p_body text, p_audit text[], p_max_stored bigint
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_stamp @.stamp := @.inject(
        p_node, p_incarnation, p_call_id, p_task_id, p_tenant, p_user, p_turn_id, p_body, p_audit);
BEGIN
    PERFORM @.check_stored(v_stamp.owner_id, p_max_stored);
    RETURN v_stamp;
END $$;

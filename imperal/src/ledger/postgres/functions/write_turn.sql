-- Takes the owner's next p_count numbers, writes the turn under the last of them, and counts its bytes for today. The
-- owner's row stays locked until the commit, so numbers and times follow commit order. A damaged number counts as 0.
-- p_audit: an audit row to write as well. One of the same owner costs no further update of the owner's row.
CREATE OR REPLACE FUNCTION @.write_turn(
    p_owner_id bigint, p_count int, p_turn_id uuid, p_body text, p_audit text[] DEFAULT NULL
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_stamp @.stamp;
    v_day bigint := @.micros() / 86400000000;
    v_at bigint;
    v_hash bytea;
    v_is_own boolean := false;
BEGIN
    IF p_audit IS NOT NULL THEN
        SELECT audit_end, tenant_id = p_audit[1] AND user_id = p_audit[2] INTO STRICT v_hash, v_is_own
        FROM @.owner WHERE owner_id = p_owner_id FOR NO KEY UPDATE;
        v_at := @.micros();
        IF v_is_own THEN v_hash := @.audit_hash(v_hash, v_at, p_audit); END IF;
    END IF;
    UPDATE @.owner SET head = head + p_count, stored_day = v_day,
        stored = CASE WHEN stored_day = v_day AND stored BETWEEN 0 AND 9007199254740992 THEN stored ELSE 0 END
            + octet_length(p_body),
        audit_end = CASE WHEN v_is_own THEN v_hash ELSE audit_end END
    WHERE owner_id = p_owner_id
    RETURNING head, 0, owner_id, tenant_id, user_id, false INTO STRICT v_stamp;
    IF v_stamp.seq < p_count OR v_stamp.seq > 9007199254740992 THEN
        -- The node repairs the numbers and sends the statement again.
        RAISE EXCEPTION 'the number of the owner''s latest event was damaged' USING ERRCODE = '22003';
    END IF;
    v_stamp.at := coalesce(v_at, @.micros());
    INSERT INTO @.turn (turn_id, owner_id, seq, at, body)
    VALUES (p_turn_id, p_owner_id, v_stamp.seq, v_stamp.at, p_body);
    IF v_is_own THEN
        INSERT INTO @.audit (at, owner_id, actor, app_id, action, target, outcome, detail, hash)
        VALUES (v_at, p_owner_id, p_audit[3], p_audit[4], p_audit[5], p_audit[6], p_audit[7], p_audit[8], v_hash);
    ELSIF p_audit IS NOT NULL THEN
        PERFORM @.write_audit(p_audit);
    END IF;
    RETURN v_stamp;
END $$;

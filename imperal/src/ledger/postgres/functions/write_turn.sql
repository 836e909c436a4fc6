-- Takes the owner's next p_count numbers, writes the turn under the last of them, and counts its bytes
-- for today. The owner's row stays locked until the commit, so numbers and times follow commit order.
-- A damaged number counts as 0.
CREATE OR REPLACE FUNCTION @.write_turn(p_owner_id bigint, p_count int, p_turn_id uuid, p_body text) RETURNS @.stamp
LANGUAGE plpgsql AS $$
DECLARE
    v_stamp @.stamp;
    v_day bigint := @.micros() / 86400000000;
BEGIN
    UPDATE @.owner SET head = head + p_count, stored_day = v_day,
        stored = CASE WHEN stored_day = v_day AND stored BETWEEN 0 AND 9007199254740992 THEN stored ELSE 0 END
            + octet_length(p_body)
    WHERE owner_id = p_owner_id
    RETURNING head, 0, owner_id, tenant_id, user_id, false INTO STRICT v_stamp;
    IF v_stamp.seq < p_count OR v_stamp.seq > 9007199254740992 THEN
        -- The node repairs the numbers and sends the statement again.
        RAISE EXCEPTION 'the number of the owner''s latest event was damaged' USING ERRCODE = '22003';
    END IF;
    v_stamp.at := @.micros();
    INSERT INTO @.turn (turn_id, owner_id, seq, at, body)
    VALUES (p_turn_id, p_owner_id, v_stamp.seq, v_stamp.at, p_body);
    RETURN v_stamp;
END $$;

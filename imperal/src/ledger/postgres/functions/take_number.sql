-- Takes the owner's next number for an event outside of write_turn. The owner's row stays locked until the commit. A
-- damaged number is refused as in write_turn: the node repairs it and sends the statement again.
CREATE OR REPLACE FUNCTION @.take_number(p_owner_id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_seq bigint;
BEGIN
    UPDATE @.owner SET head = head + 1 WHERE owner_id = p_owner_id RETURNING head INTO STRICT v_seq;
    IF v_seq < 1 OR v_seq > 9007199254740992 THEN
        RAISE EXCEPTION 'the number of the owner''s latest event was damaged' USING ERRCODE = '22003';
    END IF;
    RETURN v_seq;
END $$;

-- Writes a call and its user turn. p_max_stored: the most bytes that the owner may store today, null for
-- no limit; checked last, because an id that exists is refused first.
CREATE OR REPLACE FUNCTION @.accept_call(
    p_node text, p_incarnation bigint, p_call_id uuid, p_tenant text, p_user text, p_turn_id uuid, p_body text,
    p_max_stored bigint
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_stamp @.stamp := @.write_turn(@.find_or_add_owner(p_tenant, p_user), 1, p_turn_id, p_body);
BEGIN
    INSERT INTO @.call (call_id, owner_id, node_id, incarnation, turn_seq)
    VALUES (p_call_id, v_stamp.owner_id, v_node_id, p_incarnation, v_stamp.seq);
    IF p_max_stored IS NOT NULL THEN PERFORM @.check_stored(v_stamp.owner_id, p_max_stored); END IF;
    RETURN v_stamp;
END $$;

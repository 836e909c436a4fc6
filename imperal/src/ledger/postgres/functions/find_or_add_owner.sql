-- The owner's id. Restores a damaged name: the row is found by the hash of the name.
CREATE OR REPLACE FUNCTION @.find_or_add_owner(p_tenant text, p_user text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.owner_key(p_tenant, p_user);
    v_owner_id bigint;
    v_is_sound boolean;
BEGIN
    SELECT owner_id, tenant_id = p_tenant AND user_id = p_user INTO v_owner_id, v_is_sound
    FROM @.owner WHERE owner_key = v_key;
    IF NOT FOUND THEN
        INSERT INTO @.owner (owner_key, tenant_id, user_id) VALUES (v_key, p_tenant, p_user)
        ON CONFLICT (owner_key) DO NOTHING RETURNING owner_id INTO v_owner_id;
        -- Another transaction has added it and committed.
        IF NOT FOUND THEN SELECT owner_id INTO STRICT v_owner_id FROM @.owner WHERE owner_key = v_key; END IF;
    ELSIF NOT v_is_sound THEN
        UPDATE @.owner SET tenant_id = p_tenant, user_id = p_user WHERE owner_id = v_owner_id;
    END IF;
    RETURN v_owner_id;
END $$;

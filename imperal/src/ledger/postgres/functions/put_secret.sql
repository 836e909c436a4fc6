-- Stores a sealed value if the stored one has the version before, with the audit row. p_set_by is null when the value
-- stays the same. Returns whether it did.
CREATE OR REPLACE FUNCTION @.put_secret(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_audit text[], p_tenant text,
    p_user text, p_app text, p_name text, p_version bigint, p_key_id text, p_salt bytea, p_nonce bytea,
    p_ciphertext bytea, p_set_by text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.may_write_secret(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, p_tenant, p_user);
    IF p_version = 1 THEN
        INSERT INTO @.secret AS s (tenant_id, user_id, app_id, name, version, key_id, salt, nonce, ciphertext, set_at, set_by)
        VALUES (p_tenant, p_user, p_app, p_name, 1, p_key_id, p_salt, p_nonce, p_ciphertext, @.micros(), coalesce(p_set_by, ''))
        ON CONFLICT DO NOTHING;
    ELSE
        UPDATE @.secret s SET version = p_version, key_id = p_key_id, salt = p_salt, nonce = p_nonce,
            ciphertext = p_ciphertext, set_at = CASE WHEN p_set_by IS NULL THEN s.set_at ELSE @.micros() END,
            set_by = coalesce(p_set_by, s.set_by)
        WHERE s.tenant_id = p_tenant AND s.user_id = p_user AND s.app_id = p_app AND s.name = p_name
            AND s.version = p_version - 1;
    END IF;
    IF NOT FOUND THEN RETURN false; END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    RETURN true;
END $$;

-- p_audit: tenant, user, actor, app, action, target, outcome, detail. The owner's row is locked before
-- the audit number is taken, so an owner's later rows have higher numbers. write_turn writes audit rows as well.
CREATE OR REPLACE FUNCTION @.write_audit(p_audit text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint := @.find_or_add_owner(p_audit[1], p_audit[2]);
    v_hash bytea;
    v_at bigint;
BEGIN
    SELECT audit_end INTO v_hash FROM @.owner WHERE owner_id = v_owner_id FOR NO KEY UPDATE;
    v_at := @.micros();
    v_hash := @.audit_hash(v_hash, v_at, p_audit);
    INSERT INTO @.audit (at, owner_id, actor, app_id, action, target, outcome, detail, hash)
    VALUES (v_at, v_owner_id, p_audit[3], p_audit[4], p_audit[5], p_audit[6], p_audit[7], p_audit[8], v_hash);
    UPDATE @.owner SET audit_end = v_hash WHERE owner_id = v_owner_id;
END $$;

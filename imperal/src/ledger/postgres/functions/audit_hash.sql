-- The hash of a row in its owner's audit chain: over the previous hash, the time, and each text with its
-- length before it. The other backends hash the same bytes. Texts are stored in bytea's escape format.
CREATE OR REPLACE FUNCTION @.audit_hash(p_previous bytea, p_at bigint, p_audit text[]) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_said bytea := coalesce(p_previous, convert_to('imperal audit chain 1', 'UTF8')) || int8send(p_at);
    v_text text;
    v_bytes bytea;
BEGIN
    FOREACH v_text IN ARRAY p_audit LOOP
        IF v_text IS NULL THEN
            v_said := v_said || int8send(-1);
        ELSE
            v_bytes := decode(v_text, 'escape');
            v_said := v_said || int8send(octet_length(v_bytes)) || v_bytes;
        END IF;
    END LOOP;
    RETURN sha256(v_said);
END $$;

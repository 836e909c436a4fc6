-- Refuses a change of an owner's files of an extension by p_files and p_bytes that takes them over a limit. The caller
-- holds the shelf. A damaged size does not overflow the sum. IM020 and IM021: the error's detail is the limit.
CREATE OR REPLACE FUNCTION @.check_files(
    p_owner_id bigint, p_app text, p_files bigint, p_bytes bigint, p_max_files bigint, p_max_bytes bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_files bigint;
    v_bytes bigint;
BEGIN
    SELECT count(*), coalesce(sum(greatest(least(f.size, 1::bigint << 40), 0)), 0)::bigint INTO v_files, v_bytes
    FROM @.file f WHERE f.owner_id = p_owner_id AND f.app_id = p_app AND f.state IN ('pending', 'stored');
    IF p_files > 0 AND v_files + p_files > p_max_files THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM020', DETAIL = p_max_files::text;
    END IF;
    -- Compared without a sum that could overflow.
    IF p_bytes > 0 AND p_bytes > p_max_bytes - v_bytes THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM021', DETAIL = p_max_bytes::text;
    END IF;
END $$;

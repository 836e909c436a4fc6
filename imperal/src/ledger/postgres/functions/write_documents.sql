-- Writes documents of an owner for its work, or with an audit row for an operator, whose p_node is null. The arrays are
-- those of put_documents.
CREATE OR REPLACE FUNCTION @.write_documents(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text,
    p_audit text[], p_app text, p_collections text[], p_ids bytea[], p_expected bigint[], p_bodies text[],
    p_shapes bigint[], p_sets bigint[], p_expiries bigint[], p_key_places bigint[], p_key_indexes bigint[],
    p_keys bytea[], p_request bigint, p_max_documents bigint, p_max_bytes bigint
) RETURNS TABLE (written bigint, existed boolean) LANGUAGE plpgsql AS $$
BEGIN
    IF p_node IS NOT NULL THEN
        PERFORM @.check_owned_work(
            p_node, p_incarnation, p_call_id, p_task_id, p_attempt, @.find_owner(p_tenant, p_user));
    END IF;
    RETURN QUERY SELECT * FROM @.put_documents(
        @.find_or_add_owner(p_tenant, p_user), p_app, p_collections, p_ids, p_expected, p_bodies, p_shapes, p_sets,
        p_expiries, p_key_places, p_key_indexes, p_keys, p_request, p_max_documents, p_max_bytes, p_node IS NULL);
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
END $$;

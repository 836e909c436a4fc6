-- The owner's id; null if the owner is not stored.
CREATE OR REPLACE FUNCTION @.find_owner(p_tenant text, p_user text) RETURNS bigint LANGUAGE plpgsql STABLE
AS $$ BEGIN RETURN (SELECT owner_id FROM @.owner WHERE owner_key = @.owner_key(p_tenant, p_user)); END $$;

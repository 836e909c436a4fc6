-- The number of the owner's latest event; null if the owner is not stored.
CREATE OR REPLACE FUNCTION @.head(p_tenant text, p_user text) RETURNS bigint LANGUAGE plpgsql STABLE
AS $$ BEGIN RETURN (SELECT head FROM @.owner WHERE owner_key = @.owner_key(p_tenant, p_user)); END $$;

-- Retention, and leases that outlive a clock that was set back.

-- Events up to this number are not kept any more; some turns among them may be.
ALTER TABLE owner ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;

-- The last audit row that retention took: its number, its hash, and how many it took with it.
ALTER TABLE owner ADD COLUMN audit_pruned_to INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owner ADD COLUMN audit_anchor BLOB;
ALTER TABLE owner ADD COLUMN audit_pruned INTEGER NOT NULL DEFAULT 0;

-- How long the lease was when it was given.
ALTER TABLE node ADD COLUMN lease INTEGER;

CREATE INDEX call_of ON call (owner_id, turn_seq);

-- A row goes only once its owner's anchor has passed it, and the anchor moves forward only, onto the
-- hash of a row that is there.
DROP TRIGGER audit_is_not_removed;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
WHEN OLD.audit_id > (SELECT audit_pruned_to FROM owner WHERE owner_id = OLD.owner_id)
BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END;

CREATE TRIGGER audit_anchor_is_a_row BEFORE UPDATE OF audit_pruned_to, audit_anchor ON owner
WHEN NEW.audit_pruned_to <= OLD.audit_pruned_to OR NEW.audit_anchor IS NOT
    (SELECT hash FROM audit WHERE audit_id = NEW.audit_pruned_to AND owner_id = NEW.owner_id)
BEGIN SELECT RAISE(ABORT, 'the audit trail''s anchor is the hash of a row of its owner'); END;

-- Ends the function with a refusal; the transaction undoes what it wrote. The codes:
-- IM001 the incarnation has ended, IM002 the call has its reply, IM003 not found, IM004 the task's call has
-- no reply yet, IM005 too many tasks (see start_task), IM006 the key is taken (see start_task), IM007 the owner stored
-- too much today, IM008 the task has ended, IM009 the id exists, IM010 another incarnation holds the work,
-- IM011 the work is held, IM012 too many open questions (see ask_question), IM013 an end that is silent about open
-- effects (see end_task), IM014 the task cannot follow another one (see inherit), IM015 another document is stored, IM016
-- too many documents, IM017 too many bytes of documents (see put_documents), IM018 too many
-- schedules (see write_schedule), IM019 a file is missing (its detail is the id), IM020 too many files, IM021 too many
-- bytes of files (see check_files). A unique violation means that the id exists.
CREATE OR REPLACE FUNCTION @.refuse(p_code text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = p_code;
END $$;

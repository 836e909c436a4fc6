-- What a call was answered, for whoever asks again.
ALTER TABLE call ADD COLUMN reply_seq INTEGER;

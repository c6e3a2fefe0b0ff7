-- Where a response was learnt from, and its tokens that had been counted by a worse source already.

ALTER TABLE token_usage ADD COLUMN source TEXT NOT NULL DEFAULT 'transcript';
ALTER TABLE token_usage ADD COLUMN withheld bigint NOT NULL DEFAULT 0;

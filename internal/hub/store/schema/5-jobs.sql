-- Scans that workers make: what is to be done, who does it, and what they have sent that
-- is not yet in a stream. An import neither adds to these tables nor reads them.
CREATE TABLE IF NOT EXISTS job (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, created BIGINT NOT NULL, ended BIGINT NOT NULL,
  state TEXT NOT NULL, why TEXT NOT NULL, exclude TEXT NOT NULL, vantages TEXT NOT NULL,
  units BIGINT NOT NULL, targets BIGINT NOT NULL, rate INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS job_name ON job (name) WHERE ended = 0;

-- The record and the list of a job, in pieces of one size.
CREATE TABLE IF NOT EXISTS job_file (
  job TEXT NOT NULL, what TEXT NOT NULL, seq INTEGER NOT NULL, data BYTEA NOT NULL,
  PRIMARY KEY (job, what, seq)
);

-- How many units of a vantage are in which state, and what those that are done add up to.
CREATE TABLE IF NOT EXISTS job_vantage (
  job TEXT NOT NULL, vantage TEXT NOT NULL, first BIGINT NOT NULL, handed BIGINT NOT NULL,
  units BIGINT NOT NULL, begun BIGINT NOT NULL, done BIGINT NOT NULL, failed BIGINT NOT NULL, summary TEXT NOT NULL,
  PRIMARY KEY (job, vantage)
);
CREATE INDEX IF NOT EXISTS job_vantage_handed ON job_vantage (job) WHERE handed = 0;

-- ended is 0 of a unit that is neither done nor given up.
CREATE TABLE IF NOT EXISTS unit (
  job TEXT NOT NULL, vantage TEXT NOT NULL, k BIGINT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL, attempt BIGINT NOT NULL, worker TEXT NOT NULL,
  begun BIGINT NOT NULL, heard BIGINT NOT NULL, ended BIGINT NOT NULL, targets BIGINT NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (job, vantage, k)
);
CREATE INDEX IF NOT EXISTS unit_undone ON unit (job, vantage, k) WHERE ended = 0;
CREATE INDEX IF NOT EXISTS unit_ended ON unit (job, ended) WHERE ended > 0;
CREATE INDEX IF NOT EXISTS unit_failed ON unit (job, vantage, k) WHERE state = 'failed';

-- What an attempt at a unit has sent.
CREATE TABLE IF NOT EXISTS part (
  job TEXT NOT NULL, vantage TEXT NOT NULL, k BIGINT NOT NULL, attempt BIGINT NOT NULL, seq INTEGER NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (job, vantage, k, attempt, seq)
);

-- Who may take units: by public key.
CREATE TABLE IF NOT EXISTS worker (
  key TEXT PRIMARY KEY, name TEXT NOT NULL, vantage TEXT NOT NULL,
  made BIGINT NOT NULL, revoked BIGINT NOT NULL, seen BIGINT NOT NULL, version TEXT NOT NULL, doing TEXT NOT NULL,
  refused BIGINT NOT NULL, why TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS worker_name ON worker (name) WHERE revoked = 0;

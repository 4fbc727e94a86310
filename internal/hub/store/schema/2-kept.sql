-- What no stream has: import leaves it as it is.
CREATE TABLE IF NOT EXISTS network (
  prefix TEXT PRIMARY KEY, owner TEXT NOT NULL, contact TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS note (
  id BIGINT PRIMARY KEY, place TEXT NOT NULL, author TEXT NOT NULL, written BIGINT NOT NULL, text TEXT NOT NULL, until BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS note_place ON note (place, written);

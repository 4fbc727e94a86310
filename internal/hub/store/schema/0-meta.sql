-- Which version the tables are of, before anything is done with them.
CREATE TABLE IF NOT EXISTS meta (
  name TEXT PRIMARY KEY, value TEXT NOT NULL
);

// Prints, for each SQLite file named on the command line, one JSON line that
// maps its tables to the number of rows and a digest of them. The files are
// copies: opening them may replay their write-ahead log.
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

const quote = (name) => `"${name.replaceAll('"', '""')}"`;

for (const file of process.argv.slice(2)) {
  const db = new DatabaseSync(file);
  const tables = {};
  // Virtual tables need their extension; what they hold is in ordinary tables
  // beside them.
  const names = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name")
    .all();
  for (const { name } of names) {
    const select = db.prepare(`SELECT * FROM ${quote(name)}`);
    select.setReadBigInts(true);
    // Rows are sorted by their own digest, since tables promise no order.
    const digests = select.all().map((row) =>
      createHash("sha256")
        .update(JSON.stringify(Object.entries(row), (_, v) => (typeof v === "bigint" ? `${v}n` : v)))
        .digest("hex"),
    );
    tables[name] = {
      rows: digests.length,
      sha256: createHash("sha256").update(digests.sort().join("\n")).digest("hex"),
    };
  }
  db.close();
  console.log(JSON.stringify(tables));
}

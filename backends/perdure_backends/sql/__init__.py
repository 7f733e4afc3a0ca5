"""What PostgreSQL, CockroachDB and SQLite share: tables, statements, runner, verbs."""

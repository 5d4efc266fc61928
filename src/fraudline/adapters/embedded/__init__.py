"""A workspace on one machine: files in, SQLite as the log, histories in memory."""

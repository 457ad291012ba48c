"""Backups: telemetry, relational database and site file in one folder, with a manifest that says what must be there."""

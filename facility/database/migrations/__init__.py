"""Migrations of the relational database, run by `Database.upgrade`."""

"""Files that readings are exchanged by: CSV, Parquet and line protocol."""

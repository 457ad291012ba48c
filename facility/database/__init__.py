"""The relational side: people, alerts, tickets, quarantine and small state. Telemetry is kept elsewhere.

SQLite in the data folder by default, PostgreSQL by URL. Each package declares the tables that it owns as subclasses
of `Base`; the migrations here create all of them, and a test compares the two.
"""

from facility.database.base import Base, Identity, Microseconds
from facility.database.engine import Database
from facility.database.settings import Setting, read_setting, write_setting
from facility.database.turns import take_turn

__all__ = ["Base", "Database", "Identity", "Microseconds", "Setting", "read_setting", "take_turn", "write_setting"]

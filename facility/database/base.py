"""The class that all tables derive from, and how Python types are stored in both kinds of database."""

from __future__ import annotations

from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Boolean, Double, Integer, LargeBinary, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Row numbers: 64 bits in PostgreSQL; in SQLite only a column of type INTEGER numbers itself.
IDENTITY_TYPE = BigInteger().with_variant(Integer(), "sqlite")

Identity = Annotated[int, mapped_column(IDENTITY_TYPE, primary_key=True, autoincrement=True)]
# Microseconds since 1970-01-01 UTC; columns of this type are named *_us.
Microseconds = Annotated[int, mapped_column(BigInteger)]


class Base(DeclarativeBase):
    """
    Base of all tables.

    Plain annotations map as follows: str TEXT, int INTEGER, float DOUBLE, bool BOOLEAN, bytes BLOB, dict and list JSON.
    Constraints and indexes get the names below, so that a migration can name what it changes.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way
        str: Text(),
        int: Integer(),
        float: Double(),
        bool: Boolean(),
        bytes: LargeBinary(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        list[str]: JSON(),
        list[dict[str, Any]]: JSON(),
    }

"""Roles, each of which may do all that the ones before it may."""

from __future__ import annotations

from typing import Final, Literal, TypeGuard, get_args

Role = Literal["metrics", "viewer", "operator", "engineer", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
# `metrics` reads /metrics and nothing else: what a Prometheus server needs. People have one of the others.
PEOPLE_ROLES: Final[tuple[Role, ...]] = ROLES[1:]


def is_role(text: str) -> TypeGuard[Role]:
    """Return True if this is the name of a role."""
    return text in ROLES


def may(role: Role, needed: Role) -> bool:
    """Return True if `role` may do what `needed` may."""
    return ROLES.index(role) >= ROLES.index(needed)


def lower(one: Role, other: Role) -> Role:
    """Return the role of the two that may do less."""
    return min(one, other, key=ROLES.index)

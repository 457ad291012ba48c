"""Linear algebra on one thread: of matrices as small as a baseline's, threads that wait for one another cost more.

On a machine whose cores have other work, the same fit took five times as long on two threads as on one.
"""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def linear_algebra() -> ThreadpoolController:
    """Return what holds the threads of the libraries of linear algebra; `.limit(limits=1)` is a context."""
    return ThreadpoolController().select(user_api="blas")

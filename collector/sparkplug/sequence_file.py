"""The sequence number of each edge node's last committed message, kept over a kill -9.

After a restart it tells whether anything was missed: only if the next message follows on, the births known still hold.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from collector.slot_file import map_table

_SLOT: Final = struct.Struct("<16sHxx")  # digest of the node's name, seq + 1; 0: none
_SLOTS: Final = 4096


class SequenceFile:
    """
    A table of nodes in a file (80 KiB); nodes beyond the 4096th are not remembered, and asked for a rebirth.

    Parameters
    ----------
    path : Path or None
        None keeps the table in memory.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path | None) -> None:
        self._table = map_table(path, _SLOT.size * _SLOTS)
        self._slot_of: dict[bytes, int] = {}
        for slot, (digest, seq) in enumerate(_SLOT.iter_unpack(self._table)):
            if seq:
                self._slot_of[digest] = slot

    def read(self, node: tuple[str, str]) -> int | None:
        """Return the number of a node's last committed message; None if it is not known."""
        slot = self._slot_of.get(_digest(node))
        return None if slot is None else int(_SLOT.unpack_from(self._table, slot * _SLOT.size)[1]) - 1

    def write(self, seqs: Mapping[tuple[str, str], int]) -> None:
        """Note the numbers of nodes' last committed messages."""
        for node, seq in seqs.items():
            digest = _digest(node)
            slot = self._slot_of.setdefault(digest, len(self._slot_of))
            if slot < _SLOTS:
                _SLOT.pack_into(self._table, slot * _SLOT.size, digest, seq + 1)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self._table.close()


def _digest(node: tuple[str, str]) -> bytes:
    return hashlib.blake2b("/".join(node).encode(), digest_size=16).digest()

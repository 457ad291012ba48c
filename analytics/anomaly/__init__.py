"""
How odd is each row of a group of correlated points of one machine, judged by the machine's own past.

`score` and `detect` are the two functions that everything else measures; `examine` says on what grounds.
"""

from analytics.anomaly.detector import (
    DEFAULT_PARAMETERS,
    Evidence,
    Examination,
    PointEvidence,
    Verdict,
    detect,
    examine,
    explain,
    score,
)
from analytics.anomaly.parameters import DetectorParameters

__all__ = [
    "DEFAULT_PARAMETERS",
    "DetectorParameters",
    "Evidence",
    "Examination",
    "PointEvidence",
    "Verdict",
    "detect",
    "examine",
    "explain",
    "score",
]

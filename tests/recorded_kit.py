"""Recorded production workflows, in WfFormat; not everywhere they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

INSTANCES = Path(__file__).parents[2] / "shared" / "data" / "wfinstances"
RECORDED = (
    "1000genome-chameleon-2ch-100k-001",
    "blast-chameleon-small-001",
    "bwa-chameleon-small-002",
    "epigenomics-chameleon-hep-2seq-100k-001",
    "helloworld-forkjoin-10-chameleon",
    "montage-chameleon-2mass-005d-001",
    "montage-chameleon-2mass-02d-001",
    "rnaseq-dirt02-001",
    "seismology-chameleon-200p-001",
    "soykb-chameleon-10fastq-10ch-001",
    "srasearch-chameleon-10a-003",
)
recorded = pytest.mark.skipif(not INSTANCES.is_dir(), reason="the recorded workflows are not here")

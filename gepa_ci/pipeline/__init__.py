"""The lines of the main job: evaluate, gate, optimize; steps take and return values."""

from gepa_ci.pipeline.lines import evaluate, gate, optimize, planned_trials
from gepa_ci.pipeline.proof import planned_proof_calls
from gepa_ci.pipeline.services import Recorded, Services

__all__ = [
    "Recorded",
    "Services",
    "evaluate",
    "gate",
    "optimize",
    "planned_proof_calls",
    "planned_trials",
]

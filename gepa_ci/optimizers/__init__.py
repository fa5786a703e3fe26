"""One file an optimizer, behind one protocol: from train and val examples to a candidate."""

from gepa_ci.optimizers.budget import plan_budget
from gepa_ci.optimizers.run import optimize

__all__ = ["optimize", "plan_budget"]

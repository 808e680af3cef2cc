"""How large an instance is: what Terraform derives from a function's declared memory, for those who have to know."""

from __future__ import annotations

STEPS = ((16_384, 8), (8_192, 4), (1_023, 2))
"""Memory in MiB above which an instance has so many processors."""


def cpu_of(memory: int) -> int:
    """Return the processors of an instance with so much memory (MiB), as ``terraform/modules/function`` gives them."""
    return next((cpus for above, cpus in STEPS if memory > above), 1)

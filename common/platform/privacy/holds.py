"""Legal holds as people of the tenant place and release them; ``require_none`` is what destroyers ask.

``common.protection.holds`` holds the rule itself, so that other domains can ask as well.
"""

from common.protection.holds import require_none, require_none_at_all

__all__ = ["require_none", "require_none_at_all"]

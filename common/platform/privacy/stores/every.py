"""Every store, in the order in which an erasure goes through them.

Files come before the documents that tell whose they are; caches after what they are computed from; the warehouse late,
because it follows the documents; the audit trail last, because all of it leaves traces there.
"""

from __future__ import annotations

from common.platform.privacy.stores.documents import Documents
from common.platform.privacy.stores.files import Files
from common.platform.privacy.stores.port import Store
from common.platform.privacy.stores.redis_keys import RedisKeys
from common.platform.privacy.stores.technical import Technical
from common.platform.privacy.stores.trail import Trail
from common.platform.privacy.stores.warehouse import Warehouse

STORES: tuple[Store, ...] = (Files(), Documents(), Technical(), RedisKeys(), Warehouse(), Trail())

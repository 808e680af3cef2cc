"""The facts of search performance: clicks, impressions and positions by day or period, query, page, device, country."""

from __future__ import annotations

from common.aso.detectors.purposes import CANNIBALIZATION_SCAN, DECAY_SCAN
from common.aso.entities import CTR_FIT, DATASET
from common.aso.performance.caches import ASO_PERFORMANCE
from common.entity import Facts, Table

TRAFFIC = "aso-content-traffic"

SEARCH_PERFORMANCE = Facts(
    name="search_performance",
    domain="aso",
    table=Table(
        dataset=DATASET,
        name="search_performance",
        key="row_id",
        columns={
            "row_id": "STRING NOT NULL",
            "date": "DATE NOT NULL",
            "from_date": "DATE NOT NULL",
            "site": "STRING",
            "dimensions": "STRING NOT NULL",
            "query": "STRING",
            "keyword_id": "STRING",
            "page": "STRING",
            "page_key": "STRING",
            "device": "STRING",
            "country": "STRING",
            "search_type": "STRING NOT NULL",
            "clicks": "INT64 NOT NULL",
            "impressions": "INT64 NOT NULL",
            "position": "FLOAT64",
            "features": "ARRAY<STRING>",
            "source": "STRING NOT NULL",
            "import_id": "STRING",
            "created_at": "TIMESTAMP NOT NULL",
        },
        partition="date",
        cluster=("dimensions", "keyword_id", "page_key"),
        immutable=True,
    ),
    caches=(ASO_PERFORMANCE,),
    wakes=(CTR_FIT, TRAFFIC, DECAY_SCAN, CANNIBALIZATION_SCAN),
    retention="analytics",
)

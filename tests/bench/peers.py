"""The peers of the cached read: a bare function, and FastAPI doing nothing but the same Redis read."""

from __future__ import annotations

BARE_FUNCTION = '''\
"""A function of functions-framework that does nothing."""

import functions_framework


@functions_framework.http
def bare(request):
    return '{"items":[]}', 200, {"Content-Type": "application/json"}
'''

FASTAPI_APPLICATION = '''\
"""FastAPI reading two keys in one round trip and sending the second as it is: no credential, no limit, no log."""

import os

import fastapi
import redis.asyncio

application = fastapi.FastAPI()
client = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


@application.get("/")
async def read() -> fastapi.Response:
    _, stored = await client.mget(os.environ["GENERATION_KEY"], os.environ["ANSWER_KEY"])
    return fastapi.Response(stored.partition(b"\\n")[2], media_type="application/json")
'''

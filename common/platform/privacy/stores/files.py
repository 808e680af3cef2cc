"""Files in Cloud Storage: those of the person's own jobs, and those that have the person in them.

What a job writes lies in a folder named after it. Uploaded files, exports and error files are copies that can be made
again, so an erasure removes them whole; kept answers of other services (``serp``) name nobody and are searched all the
same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from common import objects
from common.platform.privacy.needles import Needles
from common.platform.privacy.stores import documents
from common.platform.privacy.stores.port import Exported, Found, Walk

JOB_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "content_bucket": ("imports",),
    "report_bucket": ("exports", "jobs", "clusters", "privacy"),
}
"""Folders by bucket in which there is a folder for each job."""


class Files:
    """Objects below the tenant's prefix."""

    name = "files"
    hands_over = False

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield the files of the person's jobs, and those with an identifier in them."""
        for bucket, path in self._matching(walk):
            yield Found(kind=path.partition("/")[0], name=f"{bucket}/{path}", action="drop")

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield which files there are: the person has made or uploaded them, and can fetch them."""
        for _, path in self._matching(walk):
            folder, _, rest = path.partition("/")
            yield Exported(kind="file", data={"folder": folder, "path": walk.person.masked(rest)})

    def erase(self, walk: Walk) -> dict[str, int]:
        """Remove those files."""
        counts: dict[str, int] = {}
        for name, path in list(self._matching(walk)):
            objects.delete(walk.context, name, path)
            folder = path.partition("/")[0]
            counts[folder] = counts.get(folder, 0) + 1
            walk.alive()
        return counts

    def _matching(self, walk: Walk) -> Iterator[tuple[str, str]]:
        """Yield bucket and path of each file; a file of the walk's own case is left for its own time."""
        documents.collect_jobs(walk)
        needles = Needles(walk.person)
        for name, bucket in buckets(walk):
            for path in objects.all_paths(walk.context, bucket):
                parts = path.split("/")
                if walk.case in parts:
                    continue
                theirs = len(parts) > 2 and parts[0] in JOB_FOLDERS[name] and parts[1] in walk.jobs
                if theirs or needles.matches(path) or contains(walk, bucket, path, needles):
                    yield bucket, path
                walk.alive()


def buckets(walk: Walk) -> Iterator[tuple[str, str]]:
    """Yield setting and name of every bucket of the deployment that has tenants' files."""
    for name in JOB_FOLDERS:
        bucket = getattr(walk.context.clients.settings, name)
        if bucket:
            yield name, bucket


def contains(walk: Walk, bucket: str, path: str, needles: Needles) -> bool:
    """Tell whether a file has an identifier of the person in it."""
    chunks = objects.stream(walk.context, bucket, path)
    return chunks is not None and bool(needles.in_stream(chunks, name=path))

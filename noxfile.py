"""Every command of the repository: ``nox -s <name>``; ``nox`` alone runs all checks.

Each session has an environment of its own with exactly what ``requirements.lock`` names, made once and reused.
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "imports", "fresh", "bundle", "tests", "terraform"]

CODE = ("common", "functions", "triggers", "tests", "noxfile.py")
EVERY_TEST = ("--ignore=tests/terraform", "--numprocesses=2", "--dist=loadfile")
GENERATORS = ("triggers.entities", "triggers.manifest", "triggers.openapi", "triggers.catalogue", "triggers.cloud")


def _install(session: nox.Session) -> None:
    session.install("--require-hashes", "-r", "requirements.lock")


def _generate(session: nox.Session, *arguments: str) -> None:
    for generator in GENERATORS:
        session.run("python", "-m", generator, *arguments)


@nox.session
def demo(session: nox.Session) -> None:
    """Walk the main path on the local cloud, with real input: ``-- --once`` exits at the end."""
    _install(session)
    session.run("python", "-m", "triggers.demo", *session.posargs)


@nox.session
def serve(session: nox.Session) -> None:
    """Start the local cloud: emulators, and every function on one port."""
    _install(session)
    session.run("python", "-m", "triggers.local", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests against the emulators: ``-- tests/triggers -k manifest`` narrows them.

    All of them run in two processes, each with emulators of its own; a selection runs in one.
    """
    _install(session)
    session.run("python", "-m", "pytest", *(session.posargs or EVERY_TEST))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; ``-- --fix`` mends what can be mended."""
    _install(session)
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), *CODE)
    session.run("ruff", "format", *([] if fix else ["--check"]), *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, tests included."""
    _install(session)
    session.run("mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Hold the imports against the layers."""
    _install(session)
    session.run("lint-imports", "--no-cache", *session.posargs)


@nox.session
def manifest(session: nox.Session) -> None:
    """Generate what comes from declarations, Terraform's inputs included; ``-- --check`` compares."""
    _install(session)
    _generate(session, *session.posargs)


@nox.session
def fresh(session: nox.Session) -> None:
    """Tell whether everything that is generated is as fresh as its source, and every index of use."""
    _install(session)
    _generate(session, "--check")
    session.run("python", "-m", "triggers.deploy.indexes")


@nox.session
def docs(session: nox.Session) -> None:
    """Generate the reference pages; ``-- --check`` compares."""
    _install(session)
    session.run("python", "-m", "triggers.catalogue", *session.posargs)


@nox.session
def bundle(session: nox.Session) -> None:
    """Build one zip per function and ``build/bundles.json``."""
    _install(session)
    session.run("python", "-m", "triggers.bundle", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, as ratios against named peers: ``-- scan`` runs one benchmark."""
    _install(session)
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def terraform(session: nox.Session) -> None:
    """Plan the infrastructure without a cloud, test the plans and scan them; needs the ``terraform`` program."""
    _install(session)
    chosen = session.posargs or ["tests/terraform"]
    session.run("python", "-m", "pytest", *chosen, env={"REQUIRE_TERRAFORM": "1"})
    if session.posargs:
        return
    scanner = Path(session.virtualenv.location, "checkov").resolve()
    session.run("uv", "venv", "--quiet", "--allow-existing", "--python", f"{session.bin}/python", str(scanner))
    session.run(
        "uv",
        "pip",
        "sync",
        "--quiet",
        "--require-hashes",
        "--python",
        str(scanner / "bin" / "python"),
        "tests/terraform/checkov.lock",
    )
    session.run("python", "-m", "tests.terraform.policies", str(scanner / "bin" / "checkov"))


@nox.session
def cost(session: nox.Session) -> None:
    """Reckon the monthly bill: ``-- --tenants 100 --writes-per-day 50000``; ``--json`` for programs."""
    _install(session)
    session.run("python", "-m", "triggers.deploy.cost", *session.posargs)


@nox.session
def deploy(session: nox.Session) -> None:
    """Deploy: ``-- --var-file environments/mine.tfvars``; ``--dry-run`` says what would happen and needs no cloud."""
    _install(session)
    _generate(session, "--check")
    session.run("python", "-m", "triggers.bundle")
    session.run("python", "-m", "triggers.deploy.rollout", *session.posargs)


@nox.session
def destroy(session: nox.Session) -> None:
    """Take a deployment away, all but its data: ``-- --var-file environments/mine.tfvars``; ``--help`` for the rest."""
    _install(session)
    session.run("python", "-m", "triggers.deploy.destroy", *session.posargs)


@nox.session
def schema(session: nox.Session) -> None:
    """Change schemas without losing data: ``-- check``, ``plan``, ``apply``, ``snapshot``, ``bump``, ``release``."""
    _install(session)
    session.run("python", "-m", "triggers.deploy.schema", *(session.posargs or ["check"]))


@nox.session(name="terraform-schema")
def terraform_schema(session: nox.Session) -> None:
    """Recover the google providers' schemas anew: after ``tests/terraform/resource_types.txt`` changed; 100 MB."""
    _install(session)
    session.install("pip")  # uv downloads nothing without installing it
    downloads = session.create_tmp()
    session.run(
        "python", "-m", "pip", "download", "--no-deps", "-r", "tests/terraform/schema_source.lock", "-d", downloads
    )
    session.run("python", "-m", "tests.terraform.schema_source", downloads)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve ``pyproject.toml`` anew into the lock files; ``-- --upgrade`` takes newer versions."""
    options = ("--generate-hashes", "--no-emit-index-url", "--no-header", "--python-version", "3.11", "--quiet")
    session.install("uv")
    for group, project, target in (
        ("dev", ("pyproject.toml",), "requirements.lock"),
        ("emulators", (), "triggers/local/emulators.lock"),
        ("checkov", (), "tests/terraform/checkov.lock"),
    ):
        session.run("uv", "pip", "compile", *project, "--group", group, *options, *session.posargs, "-o", target)

"""Fetching: what is never called, and what no server can do to us."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import ipaddress
import itertools
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from common import fetch
from common.clients.registry import Clients
from common.clients.web import Resolver, resolve, resolver, tls_context
from common.context import Context, Deadline
from common.errors import ConfigurationError, Unavailable
from common.fetch import FetchFailed, FetchRefused, Limits
from common.settings import Settings
from tests.common.security import context_of
from tests.common.web import Web, forever, page, redirect, served

CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
OPEN_ENDED = b"HTTP/1.1 200 X\r\nContent-Type: text/html\r\n\r\n"


def context_for(*, loopback: bool) -> Context:
    return context_of(Clients(Settings(environment="local", project="test-fetch", fetch_loopback=loopback)))


@pytest.fixture
def context() -> Context:
    """Circumstances in which this machine may be called."""
    return context_for(loopback=True)


@pytest.fixture
def strict() -> Context:
    """Circumstances as in the cloud."""
    return context_for(loopback=False)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with served() as running:
        yield running


@pytest.fixture(autouse=True)
def _forget(web: Web) -> None:
    web.routes.clear()
    web.requests.clear()


def refusal(context: Context, url: str, **options: object) -> str:
    with pytest.raises((FetchRefused, FetchFailed)) as refused:
        fetch.get(context, url, **options)  # type: ignore[arg-type]
    return refused.value.code


def leads_to(context: Context, *answers: list[str]) -> None:
    """Resolve every name to these answers, one after the other; the last one stays."""
    left = list(answers)
    context.clients.replace(resolver, lambda *_: left.pop(0) if len(left) > 1 else left[0])


# ---------------------------------------------------------------------- what is asked for and what comes back


def test_a_page_comes_back_as_it_is(context: Context, web: Web) -> None:
    web.routes["/a?b=c%20d"] = page("höhe", extra="X-One: 1\r\nX-One: 2\r\n")
    found = fetch.get(context, f"{web.url}/a?b=c%20d#part", headers={"Accept": "text/html", "X-Mine": "1"})
    assert (found.status, found.body.decode(), found.url) == (200, "höhe", f"{web.url}/a?b=c%20d")
    assert (found.content_type, found.charset, found.headers["x-one"]) == ("text/html", "utf-8", "1, 2")
    head = web.requests[0].lower()
    assert head.startswith("get /a?b=c%20d http/1.1\r\n")
    for line in (f"host: 127.0.0.1:{web.port}", "accept: text/html", "user-agent: xynergy/", "x-mine: 1"):
        assert f"\r\n{line}" in head


def test_statuses_are_told_and_not_judged(context: Context, web: Web) -> None:
    for status in (204, 404, 500):
        web.routes["/s"] = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
        assert fetch.get(context, f"{web.url}/s").status == status
    web.routes["/s"] = b"HTTP/1.1 304 X\r\n\r\n"
    assert fetch.get(context, f"{web.url}/s").status == 304
    web.routes["/s"] = b"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n"
    assert fetch.get(context, f"{web.url}/s").status == 302  # a redirect to nowhere


def test_non_ascii_addresses_are_escaped(context: Context, web: Web) -> None:
    web.routes["/h%C3%B6he?q=%C3%A4"] = page("ok")
    assert fetch.get(context, f"{web.url}/höhe?q=ä").status == 200


def test_chunked_and_open_ended_bodies(context: Context, web: Web) -> None:
    web.routes["/chunks"] = CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
    web.routes["/open"] = OPEN_ENDED + b"to the end"
    assert fetch.get(context, f"{web.url}/chunks").body == b"abcde"
    assert fetch.get(context, f"{web.url}/open").body == b"to the end"


def test_gzip_is_unpacked(context: Context, web: Web) -> None:
    packed = gzip.compress(b"first ") + gzip.compress(b"second")
    web.routes["/"] = page(packed, extra="Content-Encoding: gzip\r\n")
    assert fetch.get(context, f"{web.url}/").body == b"first second"
    web.routes["/file.gz"] = page(packed, kind="application/gzip")
    assert fetch.get(context, f"{web.url}/file.gz").body == packed  # a file that is gzip is not packed for the way


def test_content_types_are_refused_before_their_body(context: Context, web: Web) -> None:
    web.routes["/"] = forever(b"x" * 4096, page(b"", kind="video/mp4", length=10**9))
    assert refusal(context, f"{web.url}/", content_types=("text/html",)) == "unsupported_content_type"
    web.routes["/"] = page("<p>", kind="Text/HTML; charset=X")
    assert fetch.get(context, f"{web.url}/", content_types=("text/html",)).body == b"<p>"
    web.routes["/"] = page("{}", 404, kind="application/json")
    assert fetch.get(context, f"{web.url}/", content_types=("text/html",)).status == 404


# ---------------------------------------------------------------------- redirects


def test_redirects_are_followed_and_told(context: Context, web: Web) -> None:
    web.routes |= {"/1": redirect("2?x"), "/2?x": redirect(f"//127.0.0.1:{web.port}/3", 308), "/3": page("there")}
    found = fetch.get(context, f"{web.url}/1")
    assert (found.body, found.url) == (b"there", f"{web.url}/3")
    assert found.redirects == (f"{web.url}/1", f"{web.url}/2?x")


@pytest.mark.parametrize("hops", [{"/1": "/1"}, {"/1": "/2", "/2": "/1"}])
def test_redirect_loops_end(context: Context, web: Web, hops: dict[str, str]) -> None:
    web.routes |= {source: redirect(target) for source, target in hops.items()}
    assert refusal(context, f"{web.url}/1") == "too_many_redirects"
    assert len(web.requests) == len(hops)


def test_endless_redirects_end(context: Context, web: Web) -> None:
    web.routes |= {f"/{number}": redirect(f"/{number + 1}") for number in range(20)}
    assert refusal(context, f"{web.url}/0", limits=Limits(redirects=3)) == "too_many_redirects"
    assert web.targets == ["/0", "/1", "/2", "/3"]


def test_secrets_stay_with_the_first_origin(context: Context, web: Web) -> None:
    with served({"/": page("there")}) as other:
        web.routes |= {"/": redirect("/same"), "/same": redirect(f"{other.url}/")}
        fetch.get(context, f"{web.url}/", headers={"Authorization": "Bearer secret", "Accept": "text/html"})
        assert all("Bearer secret" in head for head in web.requests)
        assert len(web.requests) == 2
        assert "secret" not in other.requests[0]
        assert "text/html" in other.requests[0]


INTERNAL = (
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://172.16.0.1:8080/",
    "http://169.254.169.254/computeMetadata/v1/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://metadata/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[2002:7f00:1::]/",
    "http://0.0.0.0/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://service.internal/",
    "http://printer.local./",
)


@pytest.mark.parametrize("target", INTERNAL)
def test_redirects_into_a_private_network_are_not_followed(context: Context, web: Web, target: str) -> None:
    web.routes["/"] = redirect(target)
    assert refusal(context, f"{web.url}/") == "blocked_address"


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.com/", "gopher://x:70/", "javascript:1", "http://[x"]
)
def test_redirects_to_other_schemes_are_not_followed(context: Context, web: Web, target: str) -> None:
    web.routes["/"] = redirect(target)
    assert refusal(context, f"{web.url}/") == "invalid_url"


def test_every_hop_is_checked(strict: Context, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public server (here one of this machine's addresses counts as one) sends us to ourselves."""
    monkeypatch.setattr(fetch, "is_public", lambda ip: ip == "127.0.0.9")
    monkeypatch.setattr(fetch, "PORTS", frozenset(range(65536)))
    web.routes["/secret"] = page("secret")
    with served({"/": redirect(f"{web.url}/secret"), "/ok": page("fine")}, host="127.0.0.9") as public:
        assert fetch.get(strict, f"{public.url}/ok").body == b"fine"
        assert refusal(strict, f"{public.url}/") == "blocked_address"
    assert web.requests == []


# ---------------------------------------------------------------------- names and what they resolve to


@pytest.mark.parametrize("target", INTERNAL)
def test_private_addresses_are_refused(strict: Context, target: str) -> None:
    assert refusal(strict, target) == "blocked_address"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1", "blocked_address"),
        ("localhost", "blocked_address"),
        ("localhost.", "blocked_address"),
        ("LOCALHOST", "blocked_address"),
        ("a.localhost", "blocked_address"),
        ("[::1]", "blocked_address"),
        ("[0:0:0:0:0:ffff:7f00:1]", "blocked_address"),
        ("127.0.0.1.", "blocked_address"),
        ("2130706433", "invalid_url"),
        ("0x7f000001", "invalid_url"),
        ("0x7f.0.0.1", "invalid_url"),
        ("0177.0.0.1", "invalid_url"),
        ("127.1", "invalid_url"),
        ("127.0.0.0x1", "invalid_url"),
        ("１２７.0.0.1", "blocked_address"),  # noqa: RUF001  # full-width digits are digits to a browser
        ("[::1%25lo]", "invalid_url"),
        ("user:password@127.0.0.1", "invalid_url"),
        ("example.com@127.0.0.1", "invalid_url"),
    ],
)
def test_no_spelling_of_this_machine_is_called(strict: Context, web: Web, host: str, code: str) -> None:
    assert refusal(strict, f"http://{host}:{web.port}/") == code
    assert web.requests == []


def test_a_name_that_leads_home_is_not_called(strict: Context, web: Web) -> None:
    for answer in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], []):
        leads_to(strict, answer)
        assert refusal(strict, f"http://innocent.example:{web.port}/") == "blocked_address"
    assert web.requests == []


def test_one_private_address_among_public_ones_is_one_too_many(strict: Context) -> None:
    for answer in (["93.184.216.34", "127.0.0.1"], ["10.0.0.1", "93.184.216.34"]):
        leads_to(strict, answer)
        assert refusal(strict, "http://innocent.example/", limits=Limits(seconds=0.5)) == "blocked_address"


def test_the_connection_goes_to_the_address_that_was_checked(context: Context) -> None:
    """A name server that answers something else the second time is not asked a second time."""
    answers = iter([["127.0.0.2"], ["127.0.0.3"]])
    context.clients.replace(resolver, lambda *_: next(answers))
    with (
        served({"/": page("checked")}, host="127.0.0.2") as checked,
        served(host="127.0.0.3", port=checked.port) as other,
    ):
        assert fetch.get(context, f"http://rebind.example:{checked.port}/").body == b"checked"
        assert "Host: rebind.example:" in checked.requests[0]
        assert other.requests == []
    assert next(answers) == ["127.0.0.3"]


def test_the_next_address_is_tried_when_one_does_not_answer(context: Context) -> None:
    leads_to(context, ["127.0.0.4", "127.0.0.5"])
    with served({"/": page("second")}, host="127.0.0.5") as second:
        assert fetch.get(context, f"http://twice.example:{second.port}/").body == b"second"


def test_names_that_do_not_exist(context: Context) -> None:
    def nowhere(host: str, port: int, seconds: float) -> list[str]:
        raise OSError("no such host")

    failing: Resolver = nowhere
    context.clients.replace(resolver, failing)
    assert refusal(context, "http://nowhere.example/") == "host_not_found"


def test_the_system_resolves_in_bounded_time() -> None:
    assert resolve("127.0.0.1", 80, 5) == ["127.0.0.1"]
    with pytest.raises(OSError, match="resolved"):
        resolve("no such host at all", 80, 5)
    with pytest.raises(TimeoutError):
        resolve("example.invalid", 80, 0)


@pytest.mark.parametrize("port", [22, 25, 6379, 11211, 65535])
def test_only_ports_of_web_servers_are_called(strict: Context, port: int) -> None:
    leads_to(strict, ["93.184.216.34"])
    assert refusal(strict, f"http://example.com:{port}/") == "blocked_address"


# ---------------------------------------------------------------------- what a server may do to us


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: forever(b"x", OPEN_ENDED, 0.05),
        lambda: forever(b"X-Drip: 1\r\n", b"HTTP/1.1 200 X\r\n", 0.05),
        lambda: forever(b"H", b"", 0.05),
        lambda: forever(b"1\r\nx\r\n", CHUNKED, 0.05),
        lambda: forever(b"", OPEN_ENDED, 0.05),
        lambda: forever(b"X: 1\r\n", CHUNKED + b"0\r\n", 0.05),
    ],
    ids=["body", "headers", "status line", "chunks", "silence", "trailers"],
)
def test_a_server_that_drips_is_left_when_the_time_is_over(context: Context, web: Web, pieces: object) -> None:
    web.routes["/"] = pieces()  # type: ignore[operator]
    begun = time.monotonic()
    assert refusal(context, f"{web.url}/", limits=Limits(seconds=0.3)) == "fetch_timed_out"
    assert time.monotonic() - begun < 10


def test_time_is_counted_over_redirects_together(context: Context, web: Web) -> None:
    def slow(_: str) -> bytes:
        time.sleep(0.15)
        return redirect(f"/{next(numbers)}")

    numbers = itertools.count()
    web.routes |= {"/": slow, **{f"/{number}": slow for number in range(50)}}
    assert refusal(context, f"{web.url}/", limits=Limits(seconds=0.5, redirects=100)) == "fetch_timed_out"


def test_the_deadline_of_the_request_counts_too(context: Context, web: Web) -> None:
    web.routes["/"] = forever(b"x", OPEN_ENDED, 0.05)
    assert refusal(dataclasses.replace(context, deadline=Deadline.after(0.3)), f"{web.url}/") == "fetch_timed_out"
    with pytest.raises(Unavailable):
        fetch.get(dataclasses.replace(context, deadline=Deadline.after(0)), f"{web.url}/")


@pytest.mark.parametrize(
    "answer",
    [
        lambda: forever(b"x" * 65536, OPEN_ENDED),
        lambda: forever(b"10000\r\n" + b"x" * 65536 + b"\r\n", CHUNKED),
        lambda: page(b"", length=10**15),
        lambda: forever(b"X: " + b"y" * 60000 + b"\r\n", CHUNKED + b"0\r\n"),
    ],
    ids=["endless", "endless chunks", "announced", "endless trailers"],
)
def test_no_more_is_read_than_allowed(context: Context, web: Web, answer: object) -> None:
    web.routes["/"] = answer()  # type: ignore[operator]
    assert refusal(context, f"{web.url}/", limits=Limits(max_bytes=200_000)) in {
        "response_too_large",
        "malformed_response",
    }


def test_a_large_page_fits_exactly_or_not(context: Context, web: Web) -> None:
    body = b"<p>" * 3_500_000
    web.routes["/"] = page(body)
    assert fetch.get(context, f"{web.url}/", limits=Limits(max_bytes=len(body))).body == body
    assert refusal(context, f"{web.url}/", limits=Limits(max_bytes=len(body) - 1)) == "response_too_large"


def test_a_body_of_unknown_length_fits_exactly_or_not(context: Context, web: Web) -> None:
    web.routes |= {"/fits": OPEN_ENDED + b"x" * 1000, "/not": OPEN_ENDED + b"x" * 1001}
    assert len(fetch.get(context, f"{web.url}/fits", limits=Limits(max_bytes=1000)).body) == 1000
    assert refusal(context, f"{web.url}/not", limits=Limits(max_bytes=1000)) == "response_too_large"


def test_a_gzip_bomb_does_not_go_off(context: Context, web: Web) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    bomb = b"".join(deflate.compress(bytes(1_000_000)) for _ in range(300)) + deflate.flush()
    assert len(bomb) < 400_000
    web.routes["/"] = page(bomb, extra="Content-Encoding: gzip\r\n")
    tracemalloc.start()
    try:
        assert refusal(context, f"{web.url}/", limits=Limits(max_bytes=1_000_000)) == "response_too_large"
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (page(b"short", length=50), "incomplete_response"),
        (CHUNKED + b"5\r\nab", "incomplete_response"),
        (CHUNKED + b"zz\r\nab", "incomplete_response"),
        (CHUNKED + b"-5\r\nab", "incomplete_response"),
        (page(gzip.compress(b"x" * 1000, mtime=0)[:-12], extra="Content-Encoding: gzip\r\n"), "malformed_response"),
        (page(b"no gzip", extra="Content-Encoding: gzip\r\n"), "malformed_response"),
        (page(gzip.compress(b"", mtime=0) * 2000, extra="Content-Encoding: gzip\r\n"), "malformed_response"),
        (page(b"x", extra="Content-Encoding: br\r\n"), "unsupported_content_encoding"),
        (page(b"x", extra="Content-Encoding: gzip, gzip\r\n"), "unsupported_content_encoding"),
        (b"", "malformed_response"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "malformed_response"),
        (b"HTTP/1.1 abc X\r\n\r\n", "malformed_response"),
        (b"HTTP/1.1 200 X\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + b"\r\n", "malformed_response"),
        (b"HTTP/1.1 200 X\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "malformed_response"),
    ],
)
def test_broken_answers_are_told_apart(context: Context, web: Web, answer: bytes, code: str) -> None:
    web.routes["/"] = answer
    assert refusal(context, f"{web.url}/") == code


def test_more_than_announced_is_left_out(context: Context, web: Web) -> None:
    web.routes["/"] = page(b"exact and more", length=5)
    assert fetch.get(context, f"{web.url}/").body == b"exact"


def test_nobody_listens(context: Context) -> None:
    with served() as gone:
        url = gone.url
    with pytest.raises(FetchFailed) as failed:
        fetch.get(context, url)
    assert (failed.value.code, failed.value.transient) == ("connection_failed", True)


# ---------------------------------------------------------------------- TLS and settings


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``secure.example``, with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "secure.example")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("secure.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.8"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = Path(tmp_path_factory.mktemp("tls")) / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_certificates_are_verified_for_the_name_that_was_asked(context: Context, certificate: Path) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    leads_to(context, ["127.0.0.1"])
    with served({"/": page("secret")}, tls=server_side) as web:
        assert refusal(context, f"https://secure.example:{web.port}/") == "tls_failed"
        trusting = ssl.create_default_context(cafile=str(certificate))
        context.clients.replace(tls_context, trusting)
        assert fetch.get(context, f"https://secure.example:{web.port}/").body == b"secret"
        assert refusal(context, f"https://other.example:{web.port}/") == "tls_failed"
        assert len(web.requests) == 1


def test_plain_http_where_tls_was_asked_for(context: Context, web: Web) -> None:
    code = refusal(context, f"https://127.0.0.1:{web.port}/", limits=Limits(seconds=0.3))
    assert code in {"tls_failed", "fetch_timed_out"}


def test_this_machine_may_be_called_on_the_local_cloud_only() -> None:
    given = {"GOOGLE_CLOUD_PROJECT": "p", "XYNERGY_FETCH_LOOPBACK": "1"}
    assert Settings.from_environment({**given, "XYNERGY_ENVIRONMENT": "local"}).fetch_loopback
    with pytest.raises(ConfigurationError):
        Settings.from_environment(given)
    assert not Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p"}).fetch_loopback


# ---------------------------------------------------------------------- sending a body


def test_a_body_is_sent_once_and_never_to_another_place(context: Context, web: Web, strict: Context) -> None:
    web.routes["/sink"] = page("thanks")
    answer = fetch.post(context, f"{web.url}/sink", b'{"a": 1}', headers={"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (200, b"thanks")
    assert web.requests[0].startswith("POST /sink ")
    assert "content-length: 8" in web.requests[0].lower()
    web.routes["/sink"] = redirect("/elsewhere")
    with pytest.raises(FetchFailed) as moved:
        fetch.post(context, f"{web.url}/sink", b"{}")
    assert moved.value.code == "too_many_redirects"
    with pytest.raises(FetchRefused):
        fetch.post(strict, f"{web.url}/sink", b"{}")
    assert len(web.requests) == 2

"""The acquirer as a process: what its owner can do to it, as a terminal sees it."""

import http.client
import json
import socket
import ssl
import subprocess

import pytest
from microtill.acquirer import pki
from microtill.acquirer.process import AcquirerError, AcquirerProcess
from microtill.paths import micropython
from support.acquirer import new_card, new_terminal
from support.terminal import HOST_NAME

BROKEN = (OSError, http.client.HTTPException)


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture
def terminal(acquirer):
    acquirer.clear()
    unit = new_terminal(acquirer, timeout=5)
    yield unit
    unit.close()
    acquirer.clear()


def decided(acquirer, terminal) -> list[str]:
    return [r["outcome"] for r in acquirer.transactions(terminal.ticket["tid"])]


def test_down_and_up_again_on_the_same_port(acquirer, terminal):
    port = acquirer.port
    terminal.send(terminal.plain("echo"))
    acquirer.down()
    with pytest.raises(BROKEN):
        terminal.send(terminal.plain("echo"))
    with pytest.raises(ConnectionRefusedError):
        terminal.send(terminal.plain("echo"))
    acquirer.up()
    assert acquirer.port == port
    assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"


def test_connections_are_kept(acquirer, terminal):
    terminal.send(terminal.plain("echo"))
    first = terminal.https._connection.sock
    for _ in range(3):
        terminal.send(terminal.plain("echo"))
        assert terminal.https.request("GET", "/v1/ping")[0] == 204
    assert terminal.https._connection.sock is first


@pytest.mark.parametrize("close", [False, True], ids=["silent", "closed"])
def test_lost_request_never_arrives(acquirer, terminal, close):
    sale = terminal.sale(100, new_card())
    acquirer.drop_request(times=1, close=close)
    terminal.https._timeout = 0.5
    terminal.https.close()
    with pytest.raises(BROKEN):
        terminal.send(sale)
    assert decided(acquirer, terminal) == []
    terminal.https._timeout = 5
    assert terminal.send(sale)["outcome"] == "approved"


@pytest.mark.parametrize("close", [False, True], ids=["silent", "closed"])
def test_lost_answer_was_decided(acquirer, terminal, close):
    sale = terminal.sale(100, new_card())
    acquirer.drop_response(times=1, close=close)
    terminal.https._timeout = 0.5
    terminal.https.close()
    with pytest.raises(BROKEN):
        terminal.send(sale)
    assert decided(acquirer, terminal) == ["approved"]
    terminal.https._timeout = 5
    assert terminal.send(sale)["outcome"] == "approved"
    assert decided(acquirer, terminal) == ["approved"]


def test_slow_answer(acquirer, terminal):
    terminal.https._timeout = 0.3
    acquirer.slow(1000, times=1)
    terminal.https.close()
    with pytest.raises(BROKEN):
        terminal.send(terminal.sale(100, new_card()))
    assert decided(acquirer, terminal) == ["approved"]


@pytest.mark.parametrize("part", ["payload", "signature"])
def test_tampered_answer_does_not_verify(acquirer, terminal, part):
    from joserfc.errors import BadSignatureError

    acquirer.tamper(part, times=1)
    sale = terminal.sale(100, new_card())
    with pytest.raises(BadSignatureError):
        terminal.send(sale)
    assert terminal.send(sale)["outcome"] == "approved"


def test_truncated_answer(acquirer, terminal):
    acquirer.truncate(times=1)
    with pytest.raises(BROKEN):
        terminal.send(terminal.plain("echo"))
    assert terminal.send(terminal.plain("echo"))


def test_oversized_answer(acquirer, terminal):
    acquirer.oversize(6000, times=1)
    assert len(terminal.post(terminal.plain("echo").token)[2]) == 6000


def test_status_captive_and_chunked(acquirer, terminal):
    acquirer.status(502, times=1)
    assert terminal.post(terminal.plain("echo").token)[0] == 502
    acquirer.captive(times=1)
    status, kind, body = terminal.post(terminal.plain("echo").token)
    assert (status, kind) == (200, "text/html; charset=utf-8") and b"Wi-Fi" in body
    acquirer.chunked(times=1)
    terminal.https._connection.request(
        "POST", "/v1/messages", terminal.plain("echo").token, {"Content-Type": "application/jose"}
    )
    response = terminal.https._connection.getresponse()
    assert response.headers["transfer-encoding"] == "chunked" and response.headers["content-length"] is None
    response.read()


def test_stale_answer_is_of_another_request(acquirer, terminal):
    first = terminal.plain("echo")
    token = terminal.send(first).raw
    acquirer.stale(times=1)
    assert terminal.post(terminal.plain("echo").token)[2].decode() == token


def test_plain_http(acquirer, terminal):
    acquirer.plain_http()
    terminal.https.close()
    with pytest.raises(ssl.SSLError):
        terminal.send(terminal.plain("echo"))
    connection = http.client.HTTPConnection("127.0.0.1", acquirer.port, timeout=5)
    connection.request("GET", "/v1/ping")
    assert connection.getresponse().status == 204
    connection.close()
    acquirer.clear()
    assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"


def test_faults_end_by_themselves_or_by_clear(acquirer, terminal):
    before = acquirer.faults_acted
    acquirer.status(500, times=2)
    assert [terminal.post(b"x")[0] for _ in range(3)] == [500, 500, 400]
    acquirer.status(500)
    assert [terminal.post(b"x")[0] for _ in range(3)] == [500] * 3
    acquirer.clear()
    assert terminal.post(b"x")[0] == 400
    assert acquirer.faults_acted == before + 5


def test_a_request_left_over_takes_no_later_fault(acquirer, terminal):
    from joserfc.errors import BadSignatureError

    terminal.https._timeout = 0.2
    acquirer.slow(700, times=1)
    terminal.https.close()
    with pytest.raises(BROKEN):
        terminal.send(terminal.plain("echo"))
    acquirer.slow(1500, times=1)
    acquirer.tamper(times=1)
    terminal.https._timeout = 5
    with pytest.raises(BadSignatureError):
        terminal.send(terminal.plain("echo"))


@pytest.mark.parametrize("kind", pki.WRONG_KINDS)
def test_wrong_certificates_are_refused(acquirer, terminal, kind):
    acquirer.set_certificate(kind)
    try:
        with pytest.raises((ssl.SSLCertVerificationError, *BROKEN)):
            terminal.send(terminal.plain("echo"))
        terminal.https.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            terminal.send(terminal.plain("echo"))
    finally:
        acquirer.set_certificate("good")
    assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"


_ON_THE_PORT = """
import socket, tls
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(bytes.fromhex("%s"))
plain = socket.socket()
plain.connect(socket.getaddrinfo("127.0.0.1", %d)[0][-1])
try:
    line = context.wrap_socket(plain, server_hostname="acquirer.microtill.test")
    line.write(b"GET /v1/ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(line.read(12))
except ValueError as e:
    print(e)
"""


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("good", "HTTP/1.1 204"),
        ("expired", "has expired"),
        ("not_yet_valid", "starts in the future"),
        ("other_name", "does not match"),
        ("other_ca", "not correctly signed"),
    ],
)
def test_micropython_takes_the_right_certificate_only(acquirer, kind, says):
    acquirer.set_certificate(kind)
    try:
        source = _ON_THE_PORT % (acquirer.ca_der.hex(), acquirer.port)
        done = subprocess.run([micropython(), "-c", source], capture_output=True, text=True, timeout=30)
        assert says in done.stdout, done.stderr
    finally:
        acquirer.set_certificate()


def test_certificate_of_ones_own(acquirer, terminal):
    other = pki.issue(acquirer.home.ca, [HOST_NAME])
    acquirer.set_certificate(certificate_pem=other.certificate_pem, key_pem=other.key_pem)
    terminal.https.close()
    terminal.send(terminal.plain("echo"))
    assert terminal.https._connection.sock.getpeercert(True) == other.der
    acquirer.set_certificate()


def test_tls_versions(acquirer):
    versions = ssl.TLSVersion
    for version, ok in ((versions.TLSv1_2, True), (versions.TLSv1_3, True), (versions.TLSv1_1, False)):
        context = ssl.create_default_context(cadata=acquirer.ca_der)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", acquirer.port), 5) as plain:
            if ok:
                context.wrap_socket(plain, server_hostname=HOST_NAME).close()
            else:
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(plain, server_hostname=HOST_NAME)


def test_log_tells_what_was_checked(acquirer, terminal):
    before = len(acquirer.log_lines())
    terminal.send(terminal.sale(4250, new_card()))
    (line,) = acquirer.log_lines(before)
    assert (line["event"], line["type"], line["outcome"], line["amount"]) == ("message", "sale", "approved", 4250)
    told = " ".join(line["checks"])
    for word in ("ES256", "sequence", "good standing", "DUKPT", "counter", "issuer"):
        assert word in told


def test_owner_errors(acquirer):
    with pytest.raises(AcquirerError, match="no terminal"):
        acquirer.terminal("NOSUCH00")
    with pytest.raises(AcquirerError, match="KeyError"):
        acquirer._do("fault", "nonsense")
    with pytest.raises(AcquirerError, match="AttributeError"):
        acquirer._do("_restart_tls")


def test_end_of_the_owner_ends_the_process():
    process = AcquirerProcess()
    child = process._child
    assert child is not None
    process._lines.close()
    process._link.close()
    assert child.wait(10) == 0
    process._child = None
    process.stop()


def test_a_start_that_fails_says_so(tmp_path):
    with AcquirerProcess() as first, pytest.raises(AcquirerError, match="ended"):
        AcquirerProcess(data_dir=first.home.path)


def test_data_stay_with_a_directory_of_ones_own(tmp_path):
    from microtill.acquirer.process import make_template

    make_template(tmp_path / "shop")
    with AcquirerProcess(data_dir=tmp_path / "shop") as process:
        unit = new_terminal(process)
        unit.send(unit.sale(100, new_card()))
        unit.close()
    with AcquirerProcess(data_dir=tmp_path / "shop") as process:
        assert process.sales()["approved"] == 1
    assert json.loads((tmp_path / "shop/acquirer.log").read_text().splitlines()[-1])["event"]

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import WebSocket

from leukoscope.app.server import NAME_HEADER, Office, create_server
from tiny_reader import encode, shade

IMAGES, KEY = "/sessions/key/images", "key"
FIELD = encode(shade(160))


@pytest.fixture
def office(desk, about):
    office = Office(desk, about)
    office.shown = []
    office.session = office.open(KEY, lambda number, image: office.shown.append((number, image)))
    return office


@pytest.fixture
def client(office, serving):
    with serving(create_server(office)) as client:
        yield client


def test_what_is_taken_is_read_and_shown(client, office):
    answer = client.post(IMAGES, FIELD)
    assert (answer.status, answer.text) == (200, "image 1")
    [(number, image)] = office.shown
    assert (number, image.opinion, image.file_name) == (1, "Early", None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file (0 bytes)"),
        (b"hello", "not an image of a known format"),
        (FIELD[:60], "truncated or damaged"),
        (b"x" * 50_001, "too large: at most 50,000 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(client, office, content, reason):
    answer = client.post(IMAGES, content)
    assert answer.status == 422
    assert reason in answer.text
    assert office.shown == []
    assert client.post(IMAGES, FIELD).status == 200


def test_a_file_that_does_not_say_its_size_is_bounded_too(client, office):
    answer = client.post(IMAGES, iter([b"x" * 30_000] * 3))
    assert answer.status == 422
    assert "too large" in answer.text


def test_one_image_too_many_is_refused(client, office):
    answers = [client.post(IMAGES, encode(shade(brightness))) for brightness in range(100, 104)]
    assert [answer.status for answer in answers] == [200, 200, 200, 422]
    assert "is full" in answers[-1].text
    assert len(office.shown) == 3


def test_many_at_a_time_are_taken_one_after_another(client, office):
    contents = [encode(shade(brightness)) for brightness in range(100, 110)]
    with ThreadPoolExecutor(5) as pool:
        codes = list(pool.map(lambda content: client.post(IMAGES, content).status, contents))
    assert sorted(codes) == [200] * 3 + [422] * 7
    assert [number for number, _ in office.shown] == [1, 2, 3]


def test_the_same_file_is_taken_once(client):
    client.post(IMAGES, FIELD)
    assert client.post(IMAGES, FIELD).text == "the same file as image 1 of this session"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("slide%207.png", "slide 7.png"),
        ("..%2F..%2Fetc%5Cpasswd", "passwd"),
        ("%00", None),
        ("..", None),
        ("%FF%ED%A0%80.png", "\ufffd" * 4 + ".png"),
        ("a%0D%0Ab%E2%80%AEgnp.exe", "abgnp.exe"),
        ("<b>%22x%22.png", '<b>"x".png'),
        ("x" * 300, "x" * 255),
        ("%", "%"),
    ],
)
def test_a_file_name_is_kept_where_it_was_sent_and_never_with_folders(client, office, sent, kept):
    client.post(IMAGES, FIELD, **{NAME_HEADER: sent})
    assert office.shown[0][1].file_name == kept


def test_a_page_that_was_closed_takes_and_gives_nothing(client, office):
    client.post(IMAGES, FIELD)
    office.close(KEY)
    answer = client.post(IMAGES, FIELD)
    assert (answer.status, answer.text) == (404, "this page's session has ended: reload the page")
    assert client.get("/sessions/key/session.csv").status == 404


def test_an_image_of_a_page_that_is_closed_meanwhile_is_not_called_read(client, office, monkeypatch):
    read = office.desk.read

    def read_and_close(*arguments):
        office.close(KEY)
        return read(*arguments)

    monkeypatch.setattr(office.desk, "read", read_and_close)
    answer = client.post(IMAGES, FIELD)
    assert (answer.status, answer.text) == (404, "this page's session has ended: reload the page")
    assert office.shown == []


def test_a_client_that_leaves_in_the_middle_keeps_nobody_from_the_session(client, office):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            head = f"POST {IMAGES} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nOrigin: {client.origin}\r\n"
            connection.sendall(f"{head}Content-Length: 40000\r\n\r\nabc".encode())
    assert client.post(IMAGES, FIELD).status == 200
    assert len(office.shown) == 1


def test_an_archive_is_refused_as_one(client):
    assert client.post(IMAGES, b"PK\x03\x04" + bytes(100)).text == "an archive, not an image"


def test_a_failure_of_the_reader_is_an_answer_and_not_the_end(client, office, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(office.desk, "read", fail)
    answer = client.post(IMAGES, FIELD)
    assert answer.status == 500
    assert "out of memory" in answer.text


def test_pictures_are_given_and_kept_out_of_the_browsers_cache(client, office):
    client.post(IMAGES, FIELD)
    sha256 = office.shown[0][1].sha256
    for name in ("field.jpg", "thumbnail.jpg", "Grad-CAM.png", "nearest-1.png"):
        answer = client.get(f"/sessions/key/pictures/{sha256}/{name}")
        assert answer.headers["Content-Type"] == {"jpg": "image/jpeg", "png": "image/png"}[name[-3:]]
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(f"/sessions/key/pictures/{sha256}/occlusion.png").status == 404
    assert client.get(f"/sessions/key/pictures/{sha256}/full.jpg").status == 404
    office.session.images[sha256] = office.session.images[sha256]._replace(full=b"all of it")
    assert client.get(f"/sessions/key/pictures/{sha256}/full.jpg").text == "all of it"
    assert client.get("/sessions/key/pictures/0000/field.jpg").status == 404


@pytest.mark.parametrize(("kind", "start"), [("csv", "number,sha256"), ("html", "<!doctype html>")])
def test_exports_are_files_that_say_nothing_of_the_images_names(client, kind, start):
    client.post(IMAGES, FIELD)
    answer = client.get(f"/sessions/key/session.{kind}")
    assert answer.text.strip().startswith(start)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="leukoscope-session.{kind}"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_browser_is_told_to_stay_on_this_machine(client):
    policy = client.get("/sessions/key/session.csv").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "*" not in policy


def test_no_other_name_leads_here(client):
    assert client.get("/sessions/key/session.csv", Host="example.org").status == 400


HTTP_OK, REFUSED = 200, 403
FOREIGN = {"Origin": "http://example.org"}


@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN,
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:{port}.example.org"},
    ],
)
def test_another_site_can_change_nothing(client, office, headers):
    headers = {name: value.format(port=client.port) for name, value in headers.items()}
    answer = client.post(IMAGES, FIELD, **headers)
    assert answer.status == REFUSED
    assert "does not come from the review page itself" in answer.text
    assert client.get("/sessions/key/session.csv", **headers).status == REFUSED
    assert office.shown == []


def test_without_an_origin_one_can_read_and_change_nothing(client, office):
    assert client.ask("POST", IMAGES, FIELD).status == REFUSED
    assert client.get("/sessions/key/session.csv").status == HTTP_OK
    assert office.shown == []


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("same-origin", "cors", "empty", HTTP_OK),
        ("none", "navigate", "document", HTTP_OK),
        ("cross-site", "navigate", "document", HTTP_OK),
        ("cross-site", "navigate", "iframe", REFUSED),
        ("cross-site", "no-cors", "image", REFUSED),
        ("same-site", "no-cors", "empty", REFUSED),
    ],
)
def test_another_site_may_link_here_and_include_nothing(client, site, mode, dest, status):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert client.get("/sessions/key/session.csv", **headers).status == status


@pytest.mark.parametrize(
    ("origin", "host", "accepted"),
    [
        ("http://127.0.0.1:{port}", "127.0.0.1:{port}", True),
        ("http://localhost:{port}", "localhost:{port}", True),
        ("http://example.org", "127.0.0.1:{port}", False),
        (None, "127.0.0.1:{port}", False),
        ("http://example.org:{port}", "example.org:{port}", False),
    ],
)
def test_a_socket_is_opened_for_the_page_alone(office, serving, origin, host, accepted):
    server = create_server(office)

    @server.websocket("/socket")
    async def answer(socket: WebSocket) -> None:
        await socket.accept()

    with serving(server) as client, socket.create_connection(("127.0.0.1", client.port)) as connection:
        lines = ["GET /socket HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        lines += [f"Origin: {origin}"] if origin else []
        connection.sendall("\r\n".join([*lines, "", ""]).format(port=client.port).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 101") is accepted

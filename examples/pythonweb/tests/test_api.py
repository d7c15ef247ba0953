import pytest

from tests.conftest import make_token, register


@pytest.fixture
def bearer(client):
    register(client)
    return {"Authorization": f"Bearer {make_token(client)}"}


def test_empty_list(client):
    assert client.get("/api/v1/posts").json == {"posts": [], "page": 1, "per_page": 20, "total": 0}


def test_write_and_read(app, bearer):
    stranger = app.test_client()
    answer = stranger.post("/api/v1/posts", headers=bearer, json={"title": " Hello ", "body": "Wörld"})
    assert (answer.status_code, answer.location) == (201, f"/api/v1/posts/{answer.json['id']}")
    assert answer.json["title"] == "Hello" and answer.json["author"] == "Ada"
    assert answer.json["created_at"].endswith("+00:00")
    assert stranger.get(answer.location).json == answer.json
    assert stranger.get("/api/v1/posts").json["posts"] == [answer.json]


def test_pages_of_the_list(client, bearer):
    for number in range(5):
        client.post("/api/v1/posts", headers=bearer, json={"title": f"n{number}", "body": "x"})
    found = client.get("/api/v1/posts?page=2&per_page=2").json
    assert ([post["title"] for post in found["posts"]], found["total"]) == (["n2", "n1"], 5)


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=101", "page=-1", "per_page=99999999999999999999"])
def test_bad_pages(client, query):
    answer = client.get(f"/api/v1/posts?{query}")
    assert answer.status_code == 422
    assert list(answer.json["fields"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    "body, fields",
    [
        ({}, {"title", "body"}),
        ({"title": "x"}, {"body"}),
        ({"title": "  ", "body": 7}, {"title", "body"}),
        ({"title": "x" * 201, "body": "y"}, {"title"}),
        ({"title": "x", "body": "y", "author": "Eve"}, {"author"}),
        ({"title": "nul \x00", "body": "y"}, {"title"}),
        (["x"], {""}),
    ],
)
def test_validation_errors_are_json(client, bearer, body, fields):
    answer = client.post("/api/v1/posts", headers=bearer, json=body)
    assert answer.status_code == 422
    assert set(answer.json["fields"]) == fields
    assert client.get("/api/v1/posts").json["total"] == 0


def test_other_errors_are_json_too(client, bearer):
    broken = client.post("/api/v1/posts", headers=bearer, data="{", content_type="application/json")
    plain = client.post("/api/v1/posts", headers=bearer, data="title=x")
    missing = client.get("/api/v1/posts/4711")
    absurd = client.get("/api/v1/posts/99999999999999999999")
    method = client.delete("/api/v1/posts")
    answers = [broken, plain, missing, absurd, method]
    assert [answer.status_code for answer in answers] == [400, 415, 404, 404, 405]
    assert all(answer.json["error"] for answer in answers)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic YTpi"])
def test_writing_needs_a_token(client, header):
    register(client)  # a session's cookie is not enough
    headers = {"Authorization": header} if header else {}
    answer = client.post("/api/v1/posts", headers=headers, json={"title": "x", "body": "y"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_new_token_ends_the_old_one(client, bearer):
    new = {"Authorization": f"Bearer {make_token(client)}"}
    post = {"title": "x", "body": "y"}
    assert client.post("/api/v1/posts", headers=bearer, json=post).status_code == 401
    assert client.post("/api/v1/posts", headers=new, json=post).status_code == 201

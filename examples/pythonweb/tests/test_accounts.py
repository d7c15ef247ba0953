import pytest

from app.extensions import db
from app.models import User
from tests.conftest import PASSWORD, csrf, register, submit


def test_register_leads_to_the_dashboard(client):
    answer = register(client)
    assert (answer.status_code, answer.location) == (302, "/dashboard")
    assert "Dashboard of Ada" in client.get("/dashboard").get_data(as_text=True)


def test_password_is_kept_as_a_hash(app, client):
    register(client)
    with app.app_context():
        assert PASSWORD not in User.by_email("ada@example.com").password_hash


def test_an_address_registers_once_whatever_its_case(app, client):
    register(client)
    answer = register(app.test_client(), email="ADA@example.com", name="Eve")
    assert answer.status_code == 400
    assert "account with this address already" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"password": "short", "repeat": "short"}, "Use 10 to 200 characters."),
        ({"password": PASSWORD, "repeat": "another one"}, "The passwords differ."),
        ({"email": "nonsense"}, "Not an email address."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said(client, fields, message):
    wanted = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD, "repeat": PASSWORD, **fields}
    answer = submit(client, "/register", **wanted)
    assert answer.status_code == 400
    assert message in answer.get_data(as_text=True)


def test_log_out_and_in(client):
    register(client)
    assert submit(client, "/logout", page="/dashboard").status_code == 302
    assert client.get("/dashboard").location.startswith("/login?next=")
    answer = submit(client, "/login?next=/dashboard", email="Ada@Example.com", password=PASSWORD)
    assert answer.location == "/dashboard"
    assert client.get("/dashboard").status_code == 200


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_wrong_password_and_unknown_account_look_the_same(app, client, email):
    register(client)
    answer = submit(app.test_client(), "/login", email=email, password="wrong password")
    assert answer.status_code == 401
    assert "Email or password is wrong." in answer.get_data(as_text=True)


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"])
def test_login_never_leaves_the_site(app, client, target):
    register(client)
    fresh = app.test_client()
    answer = fresh.post(
        "/login",
        query_string={"next": target},
        data={"csrf_token": csrf(fresh, "/login"), "email": "ada@example.com", "password": PASSWORD},
    )
    assert answer.location == "/dashboard"


def test_forms_without_csrf_token_are_refused(app, client):
    fields = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD, "repeat": PASSWORD}
    assert client.post("/register", data=fields).status_code == 400
    with app.app_context():
        assert User.by_email("eve@example.com") is None
    register(client)
    assert client.post("/posts", data={"title": "x", "body": "y"}).status_code == 400
    assert client.post("/logout").status_code == 400
    assert client.get("/dashboard").status_code == 200


def test_a_post_is_published_and_escaped(client):
    register(client)
    submit(client, "/posts", page="/dashboard", title="<b>Bold</b>", body="Ünïcode & more")
    page = client.get("/").get_data(as_text=True)
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page and "Ünïcode &amp; more" in page


def test_pages_of_an_account_need_it(client):
    assert client.get("/dashboard").status_code == 302
    assert client.get("/").status_code == 200


def test_a_deleted_account_is_logged_out(app, client):
    register(client)
    with app.app_context():
        db.session.delete(User.by_email("ada@example.com"))
        db.session.commit()
    assert client.get("/dashboard").status_code == 302

from acme_shop import make_app

application = make_app()


@application.get("/ping")
def ping():
    return "pong"

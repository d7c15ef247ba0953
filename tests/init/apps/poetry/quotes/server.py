import fastapi


def build():
    api = fastapi.FastAPI()
    return api

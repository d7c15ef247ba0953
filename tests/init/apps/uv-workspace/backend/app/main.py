from fastapi import FastAPI

from app.settings import DATABASE_URL

app = FastAPI()


@app.get("/health")
def health():
    return {"ok": True}

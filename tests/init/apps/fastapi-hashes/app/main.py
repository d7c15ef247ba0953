from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app.routers import system

app: FastAPI = FastAPI(
    title="Shop",  # (
)
app.mount("/static", StaticFiles(directory="app/static"), name="static")
app.include_router(system.router, prefix="/internal")

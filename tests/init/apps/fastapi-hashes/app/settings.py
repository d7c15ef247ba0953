from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.ext.asyncio import create_async_engine


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")
    database_url: str
    secret_key: str
    debug: bool = False
    allowed_hosts: str = "*"


engine = create_async_engine(Settings().database_url)

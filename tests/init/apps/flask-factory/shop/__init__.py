"""A shop."""
import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
migrate = Migrate()


def create_app(config: dict = None):
    app = Flask(__name__, static_url_path="/assets")
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///shop.db")
    app.config["STRIPE_KEY"] = os.getenv("STRIPE_SECRET_KEY")
    db.init_app(app)
    migrate.init_app(app, db)
    from shop.system import bp
    app.register_blueprint(bp)
    return app

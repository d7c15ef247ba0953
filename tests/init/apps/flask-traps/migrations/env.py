# Flask-Migrate's own

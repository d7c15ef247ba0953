import argparse

from dotenv import load_dotenv

from app import create_app

load_dotenv(override=True)
parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=5000)
args = parser.parse_args()
app = create_app()

if __name__ == "__main__":
    app.run(port=args.port, debug=True)

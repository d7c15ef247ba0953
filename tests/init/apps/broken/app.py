app = Flask(__name__
"""never ends

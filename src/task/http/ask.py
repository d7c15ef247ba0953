import http.client, json, os, socket, ssl, sys, urllib.parse

spec = json.loads(os.environ["TOW_HTTP"])
url = urllib.parse.urlsplit(spec["url"])
port = url.port or (443 if url.scheme == "https" else 80)

class Connection(http.client.HTTPConnection):
    def connect(self):
        if spec["unix"]:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(spec["unix"])
        else:
            host, port = spec["connect"] or (self.host, self.port)
            self.sock = socket.create_connection((host.strip("[]"), int(port)), self.timeout)
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=spec["ca"])
            if spec["insecure"]:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

try:
    connection = Connection(url.hostname, port, timeout=float(os.environ["TOW_HTTP_LIMIT"]))
    path = (url.path or "/") + ("?" + url.query if url.query else "")
    connection.putrequest(spec["method"], path, skip_host=True)
    names = {name.lower() for name, _ in spec["headers"]}
    if "host" not in names:
        connection.putheader("Host", url.netloc.rpartition("@")[2])
    for name, value in spec["headers"]:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    sys.stdout.buffer.write(answer.read(1 << 20))
    print("\n%d" % answer.status, flush=True)
except Exception as error:
    print("%s\n000" % error)

# Reads only, and writes no bytecode. argv: the marker's path, then operands as `r:FILE`, `c:FILE`, `p:FOLDER`.
# Prints one JSON object; with `record` as the first word of argv it writes the marker instead.
import hashlib, importlib.metadata, json, os, re, sys

args = sys.argv[1:]
record = args and args[0] == "record"
if record:
    args.pop(0)
marker_path, operands = args[0], args[1:]

def canonical(name):
    return re.sub(r"[-_.]+", "-", name or "").lower()

def requirements(path, seen, digest):
    """Every file that pip would read, in its order."""
    path = os.path.normpath(path)
    if path in seen:
        return
    with open(path, "rb") as file:
        data = file.read()
    seen.append(path)
    digest.update(b"file %d\n" % len(data) + data)
    for line in data.decode("utf-8", "replace").splitlines():
        found = re.match(r"\s*(?:-r|--requirement|-c|--constraint)[\s=]*([^\s#]+)", line)
        if found and "://" not in found.group(1):
            requirements(os.path.join(os.path.dirname(path), found.group(1)), seen, digest)

def project(path, digest):
    """What an installation is built from; not what tools leave beside it."""
    skipped = {"__pycache__", "build", "dist", "node_modules", "venv"}
    for folder, names, files in os.walk(path):
        names[:] = sorted(n for n in names if n not in skipped and not n.startswith(".") and not n.endswith(".egg-info"))
        for name in sorted(files):
            full = os.path.join(folder, name)
            if name.endswith((".pyc", ".log", ".db", ".sqlite3")) or name.startswith(".") or not os.path.isfile(full):
                continue
            with open(full, "rb") as file:
                inner = hashlib.sha256(file.read()).hexdigest()
            digest.update(("%s %s\n" % (os.path.relpath(full, path), inner)).encode("utf-8", "surrogateescape"))

installed = {}
for dist in importlib.metadata.distributions():
    name = canonical(dist.metadata["Name"])
    if name:
        installed.setdefault(name, dist.version)

digest, seen, missing, first = hashlib.sha256(), [], None, None
for operand in operands:
    kind, path = operand[:1], operand[2:]
    digest.update(kind.encode())
    try:
        if kind == "p":
            if not os.path.isdir(path):
                raise FileNotFoundError(path)
            project(path, digest)
        else:
            if kind == "r":
                with open(path, "rb") as file:
                    first = hashlib.sha256(file.read()).hexdigest()
            requirements(path, seen, digest)
    except OSError as error:
        missing = missing or (error.filename or path)

if record:
    temporary = marker_path + ".new"
    with open(temporary, "w") as file:
        json.dump({"asked": digest.hexdigest(), "first": first, "installed": installed}, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, marker_path)
else:
    marker = None
    try:
        with open(marker_path) as file:
            marker = json.load(file)
    except (OSError, ValueError):
        pass
    print(json.dumps({"installed": installed, "asked": digest.hexdigest(), "first": first, "missing": missing, "marker": marker}))

command -v "$python" >/dev/null 2>&1 && echo "python $(command -v "$python")"
"$python" -I -B -c 'import sys
print("wanted", ".".join(map(str, sys.version_info[:3])), sys.base_prefix)
try:
    import venv, ensurepip
    print("module")
except ImportError:
    pass' 2>/dev/null
if [ -e "$path/pyvenv.cfg" ]; then
  echo 'place venv'
  sed -n -e 's/^version *= *\([0-9.]*\).*/made \1/p' -e 's/^version_info *= *\([0-9.]*\).*/made \1/p' -e 's/^include-system-site-packages *= */system /p' "$path/pyvenv.cfg"
  "$path/bin/python" -I -B -c 'import sys, importlib.util
print("runs", ".".join(map(str, sys.version_info[:3])), sys.base_prefix)
if importlib.util.find_spec("pip"):
    print("pip")' 2>/dev/null
elif [ -d "$path" ]; then
  [ -z "$(ls -A "$path" 2>/dev/null)" ] || echo 'place foreign'
elif [ -e "$path" ] || [ -L "$path" ]; then
  echo 'place foreign'
fi

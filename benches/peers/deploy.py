"""The workload of benches/workload/site.toml for pyinfra; the inventory gives `root` and `templates`."""

from pyinfra import host
from pyinfra.operations import files

root = host.data.root
templates = host.data.templates

files.directory(name="root", path=root, mode="755")
for i in range(1, 10):
    files.directory(name=f"dir {i}", path=f"{root}/d{i}", mode="750")
for i in range(1, 16):
    files.template(
        name=f"tpl {i}",
        src=f"{templates}/f{i}.conf.hbs",
        dest=f"{root}/d{i % 9 + 1}/f{i}.conf",
        mode="640",
        site="demo",
    )
for i in range(1, 6):
    files.link(name=f"link {i}", path=f"{root}/l{i}", target=f"{root}/d{i % 9 + 1}/f{i}.conf")

"""The proxies of docs/operating on free ports of this machine, with a certificate of their own."""

import os
import shutil
import subprocess
from pathlib import Path

from tests import servers

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
"""Where programs are looked for: those for administrators are often not in a user's PATH."""
NAME = "darkroom.example.org"
WEBS = ("127.0.0.1:8000", "127.0.0.1:8001")


def missing(proxy: str) -> list[str]:
    """Return which of the programs that a proxy (nginx or caddy) takes are not installed."""
    return [program for program in (proxy, "openssl") if shutil.which(program, path=PATH) is None]


def certificate(folder: Path) -> Path:
    """Make a certificate for localhost. Returns its file; its key is beside it."""
    file = folder / "fullchain.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    options += f" -addext subjectAltName=DNS:localhost -keyout {folder}/privkey.pem -out {file}"
    subprocess.run(["openssl", *options.split()], check=True, capture_output=True)
    return file


def configured(proxy: str, files: Path, folder: Path, ports: list[int], edge: int) -> list[str]:
    """Write a proxy's file into a folder, for https://localhost and the web servers on `ports`.

    files: where the proxy's own file is. edge: the port on which the proxy listens. Returns the command that runs it.
    """
    webs = dict(zip(WEBS, (f"127.0.0.1:{port}" for port in ports), strict=True))
    return (_nginx if proxy == "nginx" else _caddy)(files, folder, webs, edge)


def _nginx(files: Path, folder: Path, webs: dict[str, str], edge: int) -> list[str]:
    changes = {
        "listen 80;": f"listen 127.0.0.1:{servers.free_port()};", "listen [::]:80;": "",
        "listen 443 ": f"listen 127.0.0.1:{edge} ", "listen [::]:443 ssl http2;": "",
        f"/etc/letsencrypt/live/{NAME}": str(folder), NAME: "localhost",
    }  # fmt: skip
    _write(files / "nginx.conf", folder / "darkroom.conf", webs | changes)
    user = "user root;" if os.getuid() == 0 else ""  # else its processes cannot read the folder
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    inside = (
        "".join(f"{kind}_temp_path {folder};" for kind in kinds) + f"access_log off; include {folder}/darkroom.conf;"
    )
    text = f"{user} daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}} http {{ {inside} }}"
    (folder / "main.conf").write_text(text)
    return ["nginx", "-e", f"{folder}/errors", "-c", f"{folder}/main.conf"]


def _caddy(files: Path, folder: Path, webs: dict[str, str], edge: int) -> list[str]:
    top = "{\nadmin off\nauto_https disable_redirects\n}\n"
    site = f"https://localhost:{edge} {{\nbind 127.0.0.1\ntls {folder}/fullchain.pem {folder}/privkey.pem"
    _write(files / "Caddyfile", folder / "darkroom.conf", webs | {f"{NAME} {{": top + site})
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/darkroom.conf"]


def _write(file: Path, to: Path, changes: dict[str, str]) -> None:
    text = file.read_text()
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    to.write_text(text)

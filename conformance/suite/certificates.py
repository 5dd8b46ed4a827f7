"""Certificate authorities and certificates, made with the openssl command."""

import dataclasses
import datetime
import pathlib
import subprocess

import grpc

OPENSSL_TIMEOUT_SECONDS = 30
DAY = datetime.timedelta(days=1)
CLIENT = "clientAuth"
SERVER = "serverAuth"
SETTINGS = """
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = subject
unique_subject = no
rand_serial = yes
[subject]
commonName = supplied
"""


@dataclasses.dataclass(frozen=True)
class Identity:
    """A certificate and its private key, in PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path

    @property
    def serial(self) -> str:
        """The serial number, as openssl writes it."""
        return openssl("x509", "-noout", "-serial", "-in", self.certificate).strip()

    def replace(self, other: "Identity") -> None:
        """Replaces the contents of these files with another identity."""
        self.certificate.write_bytes(other.certificate.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


def options(identity: Identity | None) -> tuple[str | pathlib.Path, ...]:
    """The options that make grpcurl and `openssl s_client` present an identity."""
    return ("-cert", identity.certificate, "-key", identity.key) if identity else ()


class Authority:
    """A certificate authority with its own directory."""

    def __init__(self, directory: pathlib.Path, name: str) -> None:
        self._directory = directory / name
        self._directory.mkdir()
        self.certificate = self._directory / "ca.pem"
        self._key = self._directory / "ca.key"
        (self._directory / "index.txt").touch()
        (self._directory / "ca.conf").write_text(SETTINGS)
        new_key(self._key)
        openssl(
            *("req", "-x509", "-new", "-key", self._key, "-subj", f"/CN={name}", "-days", "2"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.certificate),
        )

    def issue(
        self,
        name: str,
        alternative_names: str = "",
        usage: str = CLIENT,
        starts: datetime.timedelta = -DAY,
        ends: datetime.timedelta = DAY,
    ) -> Identity:
        """Makes a key and signs its certificate; the times are relative to now."""
        made = Identity(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        request, extensions = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        lines = ["basicConstraints=CA:FALSE", f"extendedKeyUsage={usage}"]
        if alternative_names:
            lines.append(f"subjectAltName={alternative_names}")
        extensions.write_text("\n".join(lines) + "\n")
        new_key(made.key)
        openssl("req", "-new", "-key", made.key, "-subj", f"/CN={name}", "-out", request)
        # `openssl x509` 3.0 supports only whole days; `openssl ca` supports times.
        openssl(
            *("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", self.certificate, "-keyfile", self._key),
            *("-startdate", _time(starts), "-enddate", _time(ends)),
            *("-extfile", extensions, "-in", request, "-out", made.certificate),
            directory=self._directory,
        )
        return made

    def credentials(self, identity: Identity | None = None) -> grpc.ChannelCredentials:
        """Credentials of a grpcio channel that trusts this authority and presents the identity."""
        return grpc.ssl_channel_credentials(
            self.certificate.read_bytes(),
            identity.key.read_bytes() if identity else None,
            identity.certificate.read_bytes() if identity else None,
        )


def new_key(file: pathlib.Path) -> None:
    """Makes a private key."""
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file)


def _time(from_now: datetime.timedelta) -> str:
    return (datetime.datetime.now(datetime.UTC) + from_now).strftime("%Y%m%d%H%M%SZ")


def openssl(*arguments: str | pathlib.Path, directory: pathlib.Path | None = None) -> str:
    """What an openssl command prints; raises with that output if the command fails."""
    done = run_openssl(*arguments, directory=directory)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stdout}"
    return done.stdout


def run_openssl(
    *arguments: str | pathlib.Path, directory: pathlib.Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs openssl to completion, whatever its exit code; standard error is merged into standard output."""
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=OPENSSL_TIMEOUT_SECONDS,
        check=False,
    )

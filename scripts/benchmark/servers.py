"""Throwaway PostgreSQL and S3 servers. A shell waits on a pipe that this process
holds open; when it closes, however we end, the shell stops the server and removes
its folder."""

import json
import os
import pwd
import socket
import subprocess
import time
from pathlib import Path

TOOLS = Path("target/test-tools").resolve()
SUPERVISE = """
folder=$1 signal=$2; shift 2
"$@" >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -s "$signal" "$server"
wait "$server"
rm -rf "$folder"
"""
MINIMAL = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def supervise(folder, signal, command, env, user=None):
    """The supervisor; `stdin` is the pipe that keeps its server alive."""
    return subprocess.Popen(
        ["/bin/sh", "-c", SUPERVISE, "supervise", str(folder), signal, *map(str, command)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=env, user=user, cwd="/", start_new_session=True)


class Server:
    def __init__(self, supervisor):
        self.supervisor = supervisor

    def stop(self):
        self.supervisor.stdin.close()
        self.supervisor.wait()


class Postgres(Server):
    """A server of its own in `folder`, with one database `bench`."""

    def __init__(self, home, folder, **more):
        self.home, self.folder = Path(home).resolve(), folder
        self.user = None
        if os.geteuid() == 0:
            # It refuses to run as root.
            self.user = next(name for name in ("nobody", "postgres") if known(name))
        folder.mkdir(mode=0o700)
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)
        data = folder / "data"
        subprocess.run(
            [self.home / "bin/initdb", "-D", data, "-N", "-U", "postgres", "-A", "trust",
             "--locale=C.UTF-8", "--encoding=UTF8"],
            check=True, stdout=subprocess.DEVNULL, user=self.user, env=MINIMAL, cwd="/")
        settings = {
            "listen_addresses": "", "unix_socket_directories": folder, "unix_socket_permissions": "0700",
            "fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0",
            "max_wal_size": "4GB", "shared_buffers": "256MB", "maintenance_work_mem": "256MB",
            "autovacuum": "off", "jit": "off", "max_locks_per_transaction": "256", "dynamic_shared_memory_type": "mmap",
            **more,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        super().__init__(supervise(
            folder, "INT", [self.home / "bin/postgres", "-D", data, *options], MINIMAL, self.user))
        self.env = {"PGHOST": str(folder), "PGUSER": "postgres", "PGDATABASE": "bench"}
        wait_until(lambda: self.sql("SELECT 1", database="postgres", check=False) == "1",
                   self.supervisor, folder / "log")
        self.pid = int((data / "postmaster.pid").read_text().split()[0])

    def sql(self, text, database="bench", check=True, **variables):
        given = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
        done = subprocess.run(
            [self.home / "bin/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *given, "-d", database],
            input=text, text=True, capture_output=True, env={**MINIMAL, **self.env}, check=False)
        if check and done.returncode:
            raise SystemExit(f"error: the server refused: {done.stderr}")
        return done.stdout.strip()

    def fill(self, megabytes):
        """Make the data; its size in megabytes."""
        self.sql("CREATE DATABASE bench", database="postgres")
        self.sql((Path(__file__).parent / "data.sql").read_text(), mb=megabytes)
        # As autovacuum leaves tables: whoever reads new rows first has to mark them.
        self.sql("VACUUM (ANALYZE)")
        return int(self.sql("SELECT pg_database_size('bench')")) / 1e6

    def fill_many(self):
        """A database `many` of 5,000 tables, each with a sequence and an index."""
        self.sql("CREATE DATABASE many", database="postgres")
        self.sql("""DO $$ BEGIN
            FOR n IN 1..5000 LOOP
                EXECUTE format('CREATE TABLE t_%s (id serial PRIMARY KEY, name text NOT NULL)', n);
                IF n % 200 = 0 THEN COMMIT; END IF;
            END LOOP;
        END $$""", database="many")

    def version(self):
        return self.sql("SHOW server_version", database="postgres").split()[0]

    def cpu(self):
        """CPU seconds of the server with every backend that has ended; waits for
        those that are about to."""
        deadline = time.monotonic() + 5
        busy = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        while self.sql(busy) != "1" and time.monotonic() < deadline:
            time.sleep(0.05)
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Seaweed(Server):
    """An S3 server with one bucket `bench`."""

    ACCESS, SECRET = "test", "testsecret"

    def __init__(self, folder):
        folder.mkdir()
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [{
            "name": "admin",
            "credentials": [{"accessKey": self.ACCESS, "secretKey": self.SECRET}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }]}))
        names = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc",
                 "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
        ports = free_ports(len(names))
        command = [
            TOOLS / "venv/bin/weed", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
            "-volume.max=300", "-master.volumeSizeLimitMB=128", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-dir={folder}", f"-s3.config={config}",
            *(f"-{name}={port}" for name, port in zip(names, ports)),
        ]
        super().__init__(supervise(folder, "KILL", command, {**MINIMAL, "HOME": str(folder)}))
        self.endpoint = f"http://127.0.0.1:{ports[0]}"
        self.env = {
            "AWS_ACCESS_KEY_ID": self.ACCESS, "AWS_SECRET_ACCESS_KEY": self.SECRET,
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        wait_until(self.make_bucket, self.supervisor, folder / "log")

    def make_bucket(self):
        """curl signs requests itself."""
        request = ["curl", "-s", "-f", "-o", "/dev/null", "--config", "-", "--aws-sigv4", "aws:amz:us-east-1:s3"]
        user = f'user = "{self.ACCESS}:{self.SECRET}"'
        for target in ("bench", "bench/ready"):
            done = subprocess.run([*request, "-T", "/dev/null", f"{self.endpoint}/{target}"] if "/" in target
                                  else [*request, "-X", "PUT", f"{self.endpoint}/{target}"],
                                  input=user, text=True, check=False)
            if done.returncode and "/" in target:
                return False
        return True


def known(user):
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def free_ports(count):
    """Ports that were free a moment ago; held together, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def wait_until(ready, supervisor, log):
    deadline = time.monotonic() + 60
    while not ready():
        if supervisor.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            supervisor.stdin.close()
            raise SystemExit(f"error: a server does not start\n{said}")
        time.sleep(0.1)

"""Starts functions out of their zips as AWS Lambda would, and tells what a cold start costs of ours.

    lambda-start.py <folder of the zips> [starts of each]

Each bootstrap is unpacked and started against an emulator of the Runtime API, with the settings that infra/terraform gives
it: its secrets come from an emulator of Secrets Manager. Told are, up to its first question for an invocation: processor
time and time on the clock (medians), memory, requests to AWS, and connections to database and Redis. Then one more start is
handed an event, and must answer it and ask for the next. Ends with 1 when a function does not."""

import http.server
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

# How long a function may take to ask, and to answer: Lambda gives a start ten seconds.
LIMIT_SECONDS = 20
STARTS = 9
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SECRETS = {"database": '{"username": "chappe", "password": "none"}', "key": KEY, "redis": "none"}
# What infra/terraform lets each function read beside the database's credentials (modules/stack/functions.tf).
NEEDS = {"api": ["redis", "key"], "callback": ["key"], "realtime": ["key"]}


class Start:
    """What one process asked for."""

    def __init__(self):
        self.asked, self.handed, self.answered, self.asked_again = (threading.Event() for _ in range(4))
        self.aws_requests = self.connections = 0


class Emulator(http.server.BaseHTTPRequestHandler):
    """Lambda's Runtime API, and Secrets Manager."""

    protocol_version = "HTTP/1.1"
    # An answer in two pieces would wait for the other side's acknowledgement, and the clock with it.
    disable_nagle_algorithm = True

    def reply(self, status, body, headers=()):
        self.send_response(status)
        for name, value in [("content-length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        start = self.server.start
        (start.asked_again if start.asked.is_set() else start.asked).set()
        # Whoever was answered waits for ever.
        start.handed.wait()
        if start.answered.is_set():
            threading.Event().wait()
        deadline_ms = int((time.time() + LIMIT_SECONDS) * 1000)
        self.reply(
            200,
            b"{}",
            [
                ("lambda-runtime-aws-request-id", "1"),
                ("lambda-runtime-deadline-ms", str(deadline_ms)),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:chappe"),
            ],
        )

    def do_POST(self):
        start = self.server.start
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/2018-06-01/runtime/"):
            # An error is an answer, too: no function knows an event that says nothing.
            start.answered.set()
            return self.reply(202, b"{}")
        start.aws_requests += 1
        if self.headers.get("x-amz-target") != "secretsmanager.GetSecretValue":
            return self.reply(400, b"{}")
        arn = json.loads(body)["SecretId"]
        secret = {"ARN": arn, "Name": arn, "SecretString": SECRETS[arn.rsplit(":", 1)[1]]}
        self.reply(200, json.dumps(secret).encode(), [("content-type", "application/x-amz-json-1.1")])

    def log_message(self, *_):
        pass


def count_connections(listener, server):
    """Database and Redis at once: takes connections and closes them."""
    while True:
        listener.accept()[0].close()
        server.start.connections += 1


def settings(name, port, closed):
    arns = {need: f"arn:aws:secretsmanager:eu-central-1:1:secret:{need}" for need in ["database", *NEEDS.get(name, [])]}
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "chappe",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": f"postgres://127.0.0.1:{closed}/none",
        "CHAPPE_DATABASE_SECRET_ARN": arns["database"],
        "QUEUE_URL": "sqs://eu-central-1/chappe",
    }
    if "key" in arns:
        environment["CHAPPE_SECRET_KEY_ARN"] = arns["key"]
    if "redis" in arns:
        environment |= {"REDIS_URL": f"redis://127.0.0.1:{closed}", "CHAPPE_REDIS_SECRET_ARN": arns["redis"]}
    if name == "realtime":
        environment["CHAPPE_REALTIME_ENDPOINT"] = "http://127.0.0.1:1/dev"
    return environment


def begin(program, environment, server):
    """A process that has asked for its first invocation, and how long that took in seconds."""
    server.start = Start()
    begun = time.perf_counter()
    child = subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if not server.start.asked.wait(LIMIT_SECONDS):
        fail(program, child, "did not ask for an invocation")
    return child, time.perf_counter() - begun


def fail(program, child, why):
    child.kill()
    sys.exit(f"error: {program.name} {why}: {child.stderr.read().decode()}")


def measure(program, environment, server):
    """Processor and clock in milliseconds, MiB, requests, connections."""
    child, seconds = begin(program, environment, server)
    start = server.start
    counted = (start.aws_requests, start.connections)
    with open(f"/proc/{child.pid}/status") as status:
        resident_kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    child.kill()
    child.stderr.close()
    _, _, used = os.wait4(child.pid, 0)
    child.returncode = 0
    return (used.ru_utime + used.ru_stime) * 1000, seconds * 1000, resident_kib / 1024, *counted


def invoke(program, environment, server):
    """Hands over one event."""
    child, _ = begin(program, environment, server)
    server.start.handed.set()
    if not server.start.answered.wait(LIMIT_SECONDS):
        fail(program, child, "did not answer an event")
    if not server.start.asked_again.wait(LIMIT_SECONDS):
        fail(program, child, "did not ask for another invocation")
    child.kill()
    child.communicate()


def main():
    folder, starts = pathlib.Path(sys.argv[1]), int(sys.argv[2] if len(sys.argv) > 2 else STARTS)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Emulator)
    server.daemon_threads = True
    server.start = Start()
    listener = socket.create_server(("127.0.0.1", 0))
    for run, arguments in [(server.serve_forever, ()), (count_connections, (listener, server))]:
        threading.Thread(target=run, args=arguments, daemon=True).start()
    print(f"{'function':10} {'cpu ms':>7} {'ms':>7} {'max ms':>7} {'MiB':>5} {'AWS':>5} {'connections':>12}")
    with tempfile.TemporaryDirectory() as home:
        for packed in sorted(folder.glob("*.zip")):
            program = pathlib.Path(home, packed.stem)
            program.write_bytes(zipfile.ZipFile(packed).read("bootstrap"))
            program.chmod(0o755)
            environment = settings(packed.stem, server.server_port, listener.getsockname()[1])
            measured = list(zip(*(measure(program, environment, server) for _ in range(starts))))
            invoke(program, environment, server)
            cpu, clock, resident, requests, connections = measured
            print(
                f"{packed.stem:10} {statistics.median(cpu):7.1f} {statistics.median(clock):7.1f} {max(clock):7.1f} "
                f"{max(resident):5.0f} {max(requests):5} {max(connections):12}",
                flush=True,
            )


main()
# Threads that wait for ever are not waited for.
sys.stdout.flush()
os._exit(0)

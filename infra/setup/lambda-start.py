"""How long functions take from the start of their process to their first question for an invocation: our share of a
cold start. lambda-start.py <folder of the zips> [starts of each] prints the median and the longest, in milliseconds.

The settings name a database and queues that are away: a function must start without them."""

import http.server
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

folder, starts = pathlib.Path(sys.argv[1]), int(sys.argv[2] if len(sys.argv) > 2 else 25)
asked = threading.Event()


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """Lets whoever asks for an invocation wait for ever."""

    def do_GET(self):
        asked.set()
        time.sleep(60)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
environment = {
    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
    "AWS_LAMBDA_FUNCTION_NAME": "chappe",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "DATABASE_URL": "postgres://nobody:none@127.0.0.1:1/none",
    "QUEUE_URL": "sqs://eu-central-1/chappe",
    "CHAPPE_SECRET_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "CHAPPE_REALTIME_ENDPOINT": "http://127.0.0.1:1/dev",
}

with tempfile.TemporaryDirectory() as home:
    for packed in sorted(folder.glob("*.zip")):
        program = pathlib.Path(home, packed.stem)
        program.write_bytes(zipfile.ZipFile(packed).read("bootstrap"))
        program.chmod(0o755)
        times = []
        for _ in range(starts):
            asked.clear()
            begun = time.perf_counter()
            child = subprocess.Popen([program], env=environment, stderr=subprocess.PIPE)
            if not asked.wait(20):
                child.kill()
                sys.exit(f"{packed.stem} did not start: {child.stderr.read().decode()}")
            times.append((time.perf_counter() - begun) * 1000)
            with open(f"/proc/{child.pid}/status") as status:
                resident = next(line.split()[1] for line in status if line.startswith("VmRSS"))
            child.kill()
            child.wait()
        print(f"{packed.stem:10} {statistics.median(times):6.1f} ms {max(times):6.1f} ms max {int(resident) // 1024:4} MiB")
os._exit(0)

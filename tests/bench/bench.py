#!/usr/bin/env python3
"""Measures audiomill beside the ffmpeg command, and prints tables. Nothing here passes or fails.

    tests/bench/bench.py speed   CPU time and peak memory of conversions, in pairs, same minute
    tests/bench/bench.py memory  a two-hour WAV to MP3; a 1 GiB upload
    tests/bench/bench.py polling status answers while every worker is busy
    tests/bench/bench.py sharing eight jobs at once, split and whole; five seconds beside two hours
    tests/bench/bench.py auth    CPU time of a request by what it is known by
    tests/bench/bench.py beside  every core and one while another program keeps a core busy

What one file takes on every core, `audiomill bench speed` measures.

The binary is target/release/audiomill (AUDIOMILL_BIN names another). The recording is music.wav
in the working folder when it is there, else 3 minutes made of tones and noise.
"""

import base64
import http.client
import http.server
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.environ.get("AUDIOMILL_BIN", os.path.join(HERE, "../../target/release/audiomill"))
KEY = "a-static-key-of-the-bench-0123456789"
ROUNDS = int(os.environ.get("ROUNDS", "7"))
SYNTHETIC = (
    "aevalsrc=exprs=0.3*sin(440*2*PI*t)*(0.6+0.4*sin(3*t))+0.05*(random(0)-0.5)"
    "|0.25*sin(554*2*PI*t+sin(5*t))+0.05*(random(1)-0.5):s=44100:d={}"
)


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True)


def measured(arguments):
    """CPU seconds, wall seconds and peak resident MiB of one command."""
    started = time.monotonic()
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if status != 0:
        sys.exit(f"failed: {arguments}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def speed(folder):
    source = os.path.join(folder, "source.wav")
    if os.path.exists("music.wav"):
        ffmpeg("-i", "music.wav", "-t", "180", source)
    else:
        ffmpeg("-f", "lavfi", "-i", SYNTHETIC.format(180), source)
    ffmpeg("-i", source, f"{folder}/source.flac")
    ffmpeg("-i", source, "-b:a", "192k", f"{folder}/source.mp3")
    ffmpeg("-i", source, "-c:a", "aac", "-b:a", "160k", f"{folder}/source.m4a")
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=1000x1000", "-frames:v", "1", f"{folder}/cover.png")
    ffmpeg("-i", source, "-i", f"{folder}/cover.png", "-map", "0", "-map", "1", "-disposition:v",
           "attached_pic", "-metadata", "title=A title", "-metadata", "artist=Somebody",
           f"{folder}/source.tagged.flac")
    pairs = [
        ("wav → mp3 192k", "wav", "mp3", ["--bitrate", "192k"], ["-b:a", "192k"]),
        ("flac → opus 128k", "flac", "opus", ["--bitrate", "128k"], ["-b:a", "128k"]),
        ("mp3 → m4a 160k", "mp3", "m4a", ["--bitrate", "160k"], ["-c:a", "aac", "-b:a", "160k"]),
        ("wav → flac", "wav", "flac", [], []),
        ("flac with tags and cover → mp3 192k", "tagged.flac", "mp3", ["--bitrate", "192k"],
         ["-map", "0:v", "-c:v", "copy", "-b:a", "192k"]),
        ("m4a copied", "m4a", "m4a", [], ["-c", "copy"]),
    ]
    print(f"3 minutes of stereo, median of {ROUNDS} pairs; cpu ratio is the median of the pairs' ratios\n")
    print("| conversion | audiomill cpu s | ffmpeg cpu s | cpu ratio | wall ratio | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, start, end, ours, theirs in pairs:
        runs = []
        for round_number in range(ROUNDS + 1):
            a = lambda: measured([BINARY, "convert", f"{folder}/source.{start}", f"{folder}/a.{end}", "--force", "--threads", "1", *ours])
            b = lambda: measured(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", f"{folder}/source.{start}", "-map", "0:a:0", *theirs, f"{folder}/b.{end}"])
            # Who goes first changes, and the first round only warms the caches.
            pair = (a(), b()) if round_number % 2 else tuple(reversed((b(), a())))
            if round_number:
                runs.append(pair)
        median = lambda pick: statistics.median(map(pick, runs))
        print(
            f"| {name} | {median(lambda r: r[0][0]):.3f} | {median(lambda r: r[1][0]):.3f}"
            f" | {median(lambda r: r[0][0] / r[1][0]):.3f} | {median(lambda r: r[0][1] / r[1][1]):.3f}"
            f" | {median(lambda r: r[0][2]):.1f} / {median(lambda r: r[1][2]):.1f} |"
        )


class Server:
    def __init__(self, folder, **settings):
        self.child = subprocess.Popen(
            [BINARY, "serve"],
            env={**os.environ, "LISTEN": "127.0.0.1:0", "DATA_DIR": f"{folder}/data", "PORTAL_AUTH_KEY": KEY,
                 "LOG_LEVEL": "warn", "RATE_LIMIT_PER_MINUTE": "0", **settings},
            stderr=subprocess.PIPE, text=True,
        )
        for line in self.child.stderr:
            found = re.search(r"http://([\d.]+):(\d+)/login", line)
            if found:
                self.host, self.port = found.group(1), int(found.group(2))
                return
        sys.exit("the server did not start")

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port)

    def resident_mib(self, peak=False):
        with open(f"/proc/{self.child.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)" if peak else r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def upload(self, size, chunk, **options):
        """Streams a form of `size` bytes of file made of `chunk` repeated; the answer's body."""
        boundary = "bench"
        head = "".join(f"--{boundary}\r\nContent-Disposition: form-data; name=\"{n}\"\r\n\r\n{v}\r\n" for n, v in options.items())
        head += f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
        tail = f"\r\n--{boundary}--\r\n".encode()
        connection = self.connect()
        connection.putrequest("POST", "/upload")
        connection.putheader("x-api-key", KEY)
        connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
        connection.putheader("Content-Length", str(len(head) + size + len(tail)))
        connection.endheaders()
        connection.send(head.encode())
        sent = 0
        while sent < size:
            piece = chunk[: min(len(chunk), size - sent)]
            connection.send(piece)
            sent += len(piece)
        connection.send(tail)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def stop(self):
        self.child.kill()
        self.child.wait()


def memory(folder):
    source = f"{folder}/long.wav"
    ffmpeg("-f", "lavfi", "-i", SYNTHETIC.format(7200), source)
    cpu, wall, peak = measured([BINARY, "convert", source, f"{folder}/long.mp3", "--force"])
    print(f"2 h WAV ({os.path.getsize(source) / 1e9:.2f} GB) → MP3: {cpu:.1f} s CPU, {wall:.1f} s wall, peak RSS {peak:.1f} MiB")
    server = Server(folder, MAX_UPLOAD_MB="2048", WORKERS="1")
    server.upload(1 << 20, os.urandom(1 << 20))
    time.sleep(1)
    before = server.resident_mib()
    status, body = server.upload(1 << 30, b"RIFF" + os.urandom((1 << 20) - 4))
    print(f"1 GiB upload: {status}; RSS {before:.1f} MiB before, peak {server.resident_mib(peak=True):.1f} MiB (the whole process's highest)")
    server.stop()


def polling(folder):
    source = f"{folder}/busy.wav"
    ffmpeg("-f", "lavfi", "-i", SYNTHETIC.format(1200), source)
    with open(source, "rb") as file:
        content = file.read()
    server = Server(folder)
    for _ in range(2 * (os.cpu_count() or 1)):
        status, body = server.upload(len(content), content)
    job = re.search(r'"job_id":"([^"]+)"', body).group(1)
    connection = server.connect()
    times = []
    for _ in range(1000):
        started = time.monotonic()
        connection.request("GET", f"/status/{job}", headers={"x-api-key": KEY})
        connection.getresponse().read()
        times.append((time.monotonic() - started) * 1000)
        time.sleep(0.002)
    times.sort()
    print(f"status while {os.cpu_count()} workers are busy, 1000 requests: median {statistics.median(times):.2f} ms, "
          f"p95 {times[950]:.2f} ms, p99 {times[990]:.2f} ms, longest {times[-1]:.2f} ms")
    server.stop()


def recording(folder, seconds):
    """A WAV of so many seconds: music.wav over and over, or tones and noise."""
    path = f"{folder}/{seconds}.wav"
    if os.path.exists("music.wav"):
        ffmpeg("-stream_loop", "-1", "-i", "music.wav", "-t", str(seconds), path)
    else:
        ffmpeg("-f", "lavfi", "-i", SYNTHETIC.format(seconds), path)
    return path


def sharing(folder):
    source, long, five = (recording(folder, seconds) for seconds in (180, 7200, 5))
    server = Server(folder, MAX_UPLOAD_MB="4096", WORKERS=str(os.cpu_count()))
    try:
        share(server, source, long, five)
    finally:
        server.stop()


def share(server, source, long, five):
    connection = server.connect()

    def upload(path, **options):
        with open(path, "rb") as file:
            content = file.read()
        _, body = server.upload(len(content), content, **options)
        return re.search(r'"job_id":"([^"]+)"', body).group(1)

    def status(job):
        connection.request("GET", f"/status/{job}", headers={"x-api-key": KEY})
        return json.loads(connection.getresponse().read())

    def wait(jobs):
        for job in jobs:
            while (now := status(job)["status"]) not in ("done", "error"):
                time.sleep(0.01)
            if now == "error":
                sys.exit(f"failed: {status(job)}")

    print(f"8 jobs of 3 minutes at once, {os.cpu_count()} cores, split and whole in turn, {ROUNDS} rounds\n")
    print("| target | split s | whole s | ratio | parts of the jobs |")
    print("|---|---|---|---|---|")
    for options in ({"format": "mp3", "bitrate": "192k"}, {"format": "opus"}, {"format": "m4a"}, {"format": "flac", "quality": "12"}):
        times = {"0": [], "1": []}
        for round_number in range(ROUNDS):
            for threads in ("0", "1") if round_number % 2 else ("1", "0"):
                started = time.monotonic()
                jobs = [upload(source, threads=threads, **options) for _ in range(8)]
                wait(jobs)
                times[threads].append(time.monotonic() - started)
                if threads == "0":
                    parts = [status(job)["job"]["output"]["segments"] for job in jobs]
        ratio = statistics.median(a / b for a, b in zip(times["0"], times["1"]))
        print(f"| {options['format']} | {statistics.median(times['0']):.2f} | {statistics.median(times['1']):.2f} | {ratio:.3f} | {parts} |", flush=True)

    job = upload(long, format="mp3", bitrate="192k")
    times = []
    while status(job)["status"] == "pending":
        time.sleep(0.01)
    while len(times) < ROUNDS:
        time.sleep(1)
        started = time.monotonic()
        wait([upload(five, format="mp3")])
        if status(job)["status"] != "processing":
            break
        times.append(time.monotonic() - started)
    told = f"median {statistics.median(times):.2f} s, longest {max(times):.2f} s" if times else "-"
    print(f"\n5 s of sound beside 2 h: {len(times)} of {ROUNDS} before the long one was done, {told}")


def beside(folder):
    source = recording(folder, 180)
    print(f"3 minutes of stereo while one other process computes, {os.cpu_count()} cores; median of {ROUNDS} pairs\n")
    print("| target | every core s | one core s | ratio |")
    print("|---|---|---|---|")
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for end, options in (("mp3", ["--bitrate", "192k"]), ("opus", ["--bitrate", "128k"]), ("ogg", ["--quality", "5"]),
                             ("m4a", ["--bitrate", "160k"]), ("flac", []), ("alac", [])):
            of = lambda threads: measured([BINARY, "convert", source, f"{folder}/out.{end}", "--format", end, "--force", "--threads", threads, *options])[1]
            pairs = [(of("0"), of("1")) if n % 2 else tuple(reversed((of("1"), of("0")))) for n in range(ROUNDS)]
            median = lambda pick: statistics.median(map(pick, pairs))
            print(f"| {end} | {median(lambda p: p[0]):.2f} | {median(lambda p: p[1]):.2f} | {median(lambda p: p[0] / p[1]):.3f} |", flush=True)
    finally:
        other.kill()
        other.wait()


def token(folder, claims):
    """A token signed by the key in `folder`, which the `openssl` command makes."""
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    message = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "bench"}, claims))
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{folder}/key.pem"], input=message, capture_output=True, check=True)
    return (message + b"." + encode(signed.stdout)).decode()


def issuer(folder):
    """The address of a provider that publishes the key, which is made here."""
    subprocess.run(["openssl", "genrsa", "-out", f"{folder}/key.pem", "2048"], capture_output=True, check=True)
    modulus = subprocess.run(["openssl", "rsa", "-in", f"{folder}/key.pem", "-noout", "-modulus"], capture_output=True, check=True, text=True)
    n = base64.urlsafe_b64encode(bytes.fromhex(modulus.stdout.strip().split("=")[1])).rstrip(b"=").decode()

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = {"keys": [{"kty": "RSA", "kid": "bench", "n": n, "e": "AQAB"}]}
            if "openid" in self.path:
                body = {"issuer": address, "jwks_uri": f"{address}/keys"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return address


def auth(folder):
    address = issuer(folder)
    person = {"iss": address, "aud": ["bench"], "type": "app", "sub": "ann", "email": "ann@example.org", "exp": int(time.time()) + 3600}
    server = Server(folder, CF_TEAM_DOMAIN=address, CF_AUDIENCE="bench", ALLOWED_EMAILS="ann@example.org",
                    OIDC_ISSUER=address, AUTH0_AUDIENCE="bench", REGISTRATION="open", WORKERS="1")
    ask = server.connect()

    def asked(method, path, headers, body=None):
        ask.request(method, path, body, headers)
        answer = ask.getresponse()
        return answer.status, answer.read(), answer.headers

    json_body = {"Content-Type": "application/json"}
    account = json.dumps({"email": "bob@example.org", "password": "7 green bottles"})
    asked("POST", "/auth/register", json_body, account)
    own = json.loads(asked("POST", "/auth/login", json_body, account)[1])["access_token"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    cookie = asked("POST", "/login", form, "email=bob@example.org&password=7+green+bottles")[2]["Set-Cookie"].split(";")[0]
    key = json.loads(asked("POST", "/api/v1/keys", {**json_body, "x-api-key": KEY}, json.dumps({"name": "bench"}))[1])["key"]
    methods = {
        "assertion of Access": {"Cf-Access-Jwt-Assertion": token(folder, person)},
        "session cookie": {"Cookie": cookie},
        "API key": {"x-api-key": key},
        "static key": {"x-api-key": KEY},
        "own access token": {"Authorization": f"Bearer {own}"},
        "OIDC token": {"Authorization": "Bearer " + token(folder, {**person, "sub": "other"})},
    }

    def cpu(path, headers, times):
        """CPU milliseconds of the server a request, and the median of wall milliseconds."""
        read = lambda: sum(map(int, open(f"/proc/{server.child.pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
        before, walls = read(), []
        for _ in range(times):
            started = time.monotonic()
            status = asked("GET", path, headers)[0]
            walls.append(time.monotonic() - started)
            assert status == 200, (path, headers, status)
        return (read() - before) / times * 1000, statistics.median(walls) * 1000

    times = int(os.environ.get("REQUESTS", "5000"))
    print(f"{times} requests on one connection; what /healthz takes, which asks nobody, is taken off\n")
    print("| known by | CPU ms of the request | of it for who asks | wall ms |")
    print("|---|---|---|---|")
    cpu("/healthz", {}, times)
    base = cpu("/healthz", {}, times)
    print(f"| nobody (/healthz) | {base[0]:.3f} | - | {base[1]:.3f} |")
    for name, headers in methods.items():
        cpu("/api/v1", headers, 100)
        own_cpu, wall = cpu("/api/v1", headers, times)
        print(f"| {name} | {own_cpu:.3f} | {own_cpu - base[0]:.3f} | {wall:.3f} |", flush=True)
    server.stop()


if __name__ == "__main__":
    tables = {"speed": speed, "memory": memory, "polling": polling, "sharing": sharing, "beside": beside, "auth": auth}
    if len(sys.argv) < 2 or sys.argv[1] not in tables:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        tables[sys.argv[1]](folder)

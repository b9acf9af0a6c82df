"""The example with a proxy, and the server on the host's loopback that it lets through.

usage: fetch_example.py COMMAND..., which gets the server's address as its last argument
"""
import http.server
import subprocess
import sys
import threading


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the host")

    def log_message(self, *_):
        pass


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    done = subprocess.run(sys.argv[1:] + [address], stdout=subprocess.PIPE, text=True, check=False)
    server.shutdown()
print(done.stdout)
if "cannot be held whole here" in done.stdout:
    print("SKIP-REASON: this machine cannot hold the example's policy")
    sys.exit(77)
expected = """hello from the host
another host: HTTP Error 403: Not through this door
without the proxy: [Errno 111] Connection refused
"""
sys.exit(done.returncode if done.stdout == expected else "that is not what it ought to print")

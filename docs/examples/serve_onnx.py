"""An exported model over HTTP with onnxruntime and NumPy alone: python serve_onnx.py FOLDER [PORT]"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import onnxruntime

folder, port = Path(sys.argv[1]), int(sys.argv[2] if len(sys.argv) > 2 else 8000)
session = onnxruntime.InferenceSession(folder / "session.onnx")
catalogue = json.loads((folder / "items.json").read_text())
ids, support = catalogue["item_id"], np.array(catalogue["support"], np.float32)
number = {str(item): place for place, item in enumerate(ids)}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # /?items=12,7&k=5
        asked = parse_qs(urlsplit(self.path).query)
        clicked = asked.get("items", [""])[0].split(",")
        items = np.array([number[item] for item in clicked if item in number], np.int64)
        scores = support.copy()  # where no item is known, the most clicked ones
        if len(items):
            scores = session.run(["scores"], {"items": items[None], "lengths": np.array([len(items)])})[0][0]
        scores[items] = -np.inf
        best = np.argsort(-scores, kind="stable")[: int(asked.get("k", ["20"])[0])]
        shown = [{"item_id": ids[item], "score": float(scores[item])} for item in best if item not in items]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(shown).encode())


server = HTTPServer(("127.0.0.1", port), Answers)
sys.stderr.write(f"http://127.0.0.1:{server.server_port}/?items={ids[0]}\n")
server.serve_forever()

"""A fitted network for those who run it elsewhere: ONNX graphs, item vectors for vector stores.

In it: folder (what is written), graphs (one step, a whole session), cells (recurrent layers in ONNX's terms),
tables (item rows as floats or bytes), nodes (a graph under construction). Used by the command line and
through `recsys_gru.export`; the only room that knows onnx. It must never train, or score itself.
"""

from recsys_gru.exporting.folder import FORMATS, export

__all__ = ["FORMATS", "export"]

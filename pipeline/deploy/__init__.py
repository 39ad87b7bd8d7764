"""Detectors outside of PyTorch: ONNX files, what runs them, and how fast they are."""

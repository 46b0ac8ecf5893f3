"""Validation of modules, and the resolved stream of their functions."""

from wasmcore.validation.module_rules import validate as validate
from wasmcore.validation.stream_writer import StreamWriter as StreamWriter

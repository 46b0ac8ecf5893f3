"""The script language of the official test suite (`*.wast`): read, run, and counted.

script = read_script(text)            # commands, one after the other
report = run_script(script, engine)   # what each of them came to
"""

from wasmcore.script.commands import Command as Command
from wasmcore.script.reader import read_script as read_script
from wasmcore.script.report import Outcome as Outcome
from wasmcore.script.report import Report as Report
from wasmcore.script.runner import run_script as run_script

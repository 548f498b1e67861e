"""Where scenarios come from: ready ones by name, files of Python or TOML."""

from __future__ import annotations

import runpy
import traceback
from importlib.resources import files
from pathlib import Path

from parahost.simulation.plan import BadSimulation
from parahost.simulation.scenario import BadScenario, Scenario
from parahost.simulation.scenario_toml import parse_scenario

_READY = "parahost.simulation.scenarios"


def ready_scenarios() -> dict[str, Path]:
    """The scenarios that are shipped, by name."""
    folder = Path(str(files(_READY)))
    found = [*folder.glob("*.py"), *folder.glob("*.toml")]
    return {path.stem: path for path in sorted(found) if path.stem != "__init__"}


def load_scenario(text: str) -> Scenario:
    """A shipped scenario by its name, or the one in a file.

    :raises BadScenario: with the file and, as far as one is to blame, the line.
    """
    ready = ready_scenarios()
    path = ready.get(text, Path(text))
    if path.suffix not in (".py", ".toml"):
        known = ", ".join(ready) or "none are shipped"
        raise BadScenario(text, f"no shipped scenario ({known}) and no .py or .toml file")
    source = text if text not in ready else path.name
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise BadScenario(source, f"cannot be read: {why}") from why
    return parse_scenario(content, source) if path.suffix == ".toml" else _run(path, source)


def _run(path: Path, source: str) -> Scenario:
    """What goes wrong while it runs is wrong with it, whatever it is."""
    try:
        names = runpy.run_path(str(path))
    except BadSimulation as why:
        raise BadScenario(f"{source}{_line_of(why, path)}", str(why)) from why
    except SyntaxError as why:
        line = "" if why.lineno is None else f":{why.lineno}"
        raise BadScenario(f"{source}{line}", why.msg) from why
    except (Exception, SystemExit) as why:
        reason = f"{type(why).__name__}: {why}"
        raise BadScenario(f"{source}{_line_of(why, path)}", " ".join(reason.split())) from why
    scenario = names.get("SCENARIO")
    if not isinstance(scenario, Scenario):
        raise BadScenario(source, "no `SCENARIO = Scenario(...)` in it")
    return scenario


def _line_of(error: BaseException, path: Path) -> str:
    """The last line of the file that led to the error."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return f":{lines[-1]}" if lines else ""

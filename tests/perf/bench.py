"""`make bench`: measures every area and prints ours beside the peers'; the same goes to build/bench.json.

python tests/perf/bench.py [AREA …]      AREA: the name of an area_*.py file, without area_ and .py
"""

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from figure import Figure  # noqa: E402 - the folder must be on the path first
from microtill.paths import BUILD  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402


def areas() -> list[str]:
    """Names of all areas, sorted."""
    return sorted(path.stem.removeprefix("area_") for path in HERE.glob("area_*.py"))


def number(value: float) -> str:
    """Three significant digits at least, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(figures: list[Figure]) -> Table:
    """The figures as people read them."""
    out = Table(title="microtill beside its peers (one run on the Unix port; more times is better)")
    out.add_column("area", no_wrap=True)
    out.add_column("ours", justify="right", no_wrap=True)
    out.add_column("peer", justify="right", no_wrap=True)
    out.add_column("unit", no_wrap=True)
    out.add_column("times", justify="right", style="bold", no_wrap=True)
    out.add_column("peer is")
    for f in figures:
        out.add_row(f.area, number(f.ours), number(f.peer), f.unit, f"{number(f.ratio)}×", f.peer_name)
    return out


def main(names: list[str]) -> int:
    """Measure `names` (all when empty); 2 when a name is not an area."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    unknown = set(names) - set(areas())
    if unknown:
        console.print(f"no area {', '.join(sorted(unknown))}; there are {', '.join(areas())}")
        return 2
    figures: list[Figure] = []
    for name in names or areas():
        with console.status(f"measuring {name}"):
            figures += importlib.import_module(f"area_{name}").measure()
    console.print(table(figures))
    for f in figures:
        if f.note:
            console.print(f"{f.area}: {f.note}", style="dim", markup=False)
    report = {
        f.area: {"ours": f.ours, "peer": f.peer, "peer_name": f.peer_name, "ratio": f.ratio, "unit": f.unit}
        for f in figures
    }
    BUILD.mkdir(exist_ok=True)
    path = BUILD / "bench.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(f"written to {path.relative_to(BUILD.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

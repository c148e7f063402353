#!/usr/bin/env python3
"""Draw cost as the work grows, from what `yurpc_bench -o json scale` writes: docs/scale-*.svg.

    build/release/bin/yurpc_bench -o json scale >scale.json
    tools/plot_scale.py docs scale.json [more.json ...]

Several files are several runs of the same: their values are put together. Both axes are
logarithmic, a point is a median, its bar the least and the greatest. Nothing but Python is needed.
"""
import json, math, pathlib, statistics, sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 62, 20, 34, 46
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94")
PLOTS = (  # file, title, x axis, y axis, group, (label, figure, series, factor) ...
    ("instances", "First list of a service", "instances of the service", "ms, MB", "instances", (
        ("wall, ms", "cold discovery, wall", "yurpc"), ("CPU, ms", "CPU", "yurpc"),
        ("peak memory, MB", "peak memory", "yurpc"), ("CPU of etcd, ms", "CPU of etcd", "bare"))),
    ("services", "Services of one consumer, 10 instances each", "services", "ms, MB", "services", (
        ("until all are fresh, ms", "until all are fresh", "yurpc"), ("CPU, ms", "CPU", "yurpc"),
        ("memory, MB", "memory", "yurpc"),
        ("fresh again after a cut, ms", "fresh again after a cut", "yurpc"))),
    ("consumers", "Consumers of one service, 20 changes a second", "consumers", "ms", "consumers", (
        ("seen, p50", "put until seen, p50", "yurpc", 1e-3),
        ("seen, p99", "put until seen, p99", "yurpc", 1e-3),
        ("CPU of etcd, each change", "CPU of etcd, each change", "yurpc", 1e-3))),
    ("changes", "Changes of a service of 1,000, one consumer", "changes asked for, per second",
     "µs, ms", "changes", (
        ("CPU of each, µs", "CPU of each event", "yurpc"),
        ("CPU of etcd for each, µs", "CPU of etcd, each change", "yurpc"),
        ("seen, p50, ms", "put until seen, p50", "yurpc", 1e-3),
        ("seen, p99, ms", "put until seen, p99", "yurpc", 1e-3))),
    ("registrations", "Registrations of one process", "instances", "ms, µs", "registrations", (
        ("register, wall, ms", "register, wall", "yurpc"),
        ("register, CPU, ms", "register, CPU", "yurpc"),
        ("a beat, CPU, µs", "CPU of a beat", "yurpc"))),
)


def read(paths):
    """{(group, figure, series): {size: [values]}}, of all files together."""
    found = {}
    for path in paths:
        for row in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["rows"]:
            _, group, size = (row["work"].split(".") + ["", ""])[:3]
            for series in ("yurpc", "bare"):
                if size.isdigit() and row.get(series):
                    sizes = found.setdefault((group, row["figure"], series), {})
                    sizes.setdefault(int(size), []).extend(row[series]["values"])
    return found


class Axis:
    """Whole decades around what is shown."""

    def __init__(self, values, begin, end):
        self.low = math.floor(math.log10(min(values)) + 1e-9)
        self.high = max(math.ceil(math.log10(max(values)) - 1e-9), self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def marks(self):
        return [10.0 ** i for i in range(self.low, self.high + 1)]


def number(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def frame(x, y, title, x_name, y_name):
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">')
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    yield f'<text x="{LEFT}" y="20" font-size="14">{title}</text>'
    for mark in x.marks():
        at = f"{x.at(mark):.1f}"
        yield f'<path d="M{at} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield f'<text x="{at}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{number(mark)}</text>'
    for mark in y.marks():
        at = y.at(mark)
        yield f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{number(mark)}</text>'
    yield f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{x_name}</text>'
    yield f'<text x="14" y="{HEIGHT / 2:.0f}" transform="rotate(-90 14 {HEIGHT / 2:.0f})">{y_name}</text>'


def curve(x, y, points, colour):
    """@p points: (size, median, least, greatest)."""
    way = " ".join(f"{x.at(size):.1f},{y.at(middle):.1f}" for size, middle, _, _ in points)
    yield f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for size, middle, least, greatest in points:
        at = f"{x.at(size):.1f}"
        yield f'<path d="M{at} {y.at(least):.1f}V{y.at(greatest):.1f}" stroke="{colour}"/>'
        yield f'<circle cx="{at}" cy="{y.at(middle):.1f}" r="3" fill="{colour}"/>'


def draw(found, title, x_name, y_name, group, wanted):
    curves = []
    for label, figure, series, *factor in wanted:
        sizes = found.get((group, figure, series), {})
        by = factor[0] if factor else 1
        points = [(size, *(by * f(kept) for f in (statistics.median, min, max)))
                  for size, values in sorted(sizes.items())
                  if (kept := [value for value in values if value > 0])]
        if points:
            curves.append((label, points))
    if not curves:
        return None
    x = Axis([p[0] for _, points in curves for p in points], LEFT, WIDTH - RIGHT)
    y = Axis([v for _, points in curves for p in points for v in p[2:]], HEIGHT - BOTTOM, TOP)
    out = list(frame(x, y, title, x_name, y_name))
    for i, (label, points) in enumerate(curves):
        out += curve(x, y, points, COLOURS[i])
        out.append(f'<text x="{LEFT + 10}" y="{TOP + 16 + 16 * i}" fill="{COLOURS[i]}">{label}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    folder, found = pathlib.Path(sys.argv[1]), read(sys.argv[2:])
    for name, *rest in PLOTS:
        svg = draw(found, *rest)
        if svg is not None:
            (folder / f"scale-{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()

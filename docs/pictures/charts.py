# SPDX-License-Identifier: Apache-2.0
"""The charts, made of the tables in docs/measurements/*.tsv."""
import math
from svg import Picture


class Data:
    """A table: lines of `# panel: TITLE | CONDITIONS`, each followed by rows of that run, fields
    separated by tabs. `# source: PAGE` names the page that has the same figures."""

    def __init__(self, path):
        self.path, self.source, self.panels = path, None, []
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# source: "):
                self.source = line.removeprefix("# source: ")
            elif line.startswith("# panel: "):
                title, conditions = line.removeprefix("# panel: ").split(" | ")
                self.panels.append((title, conditions, []))
            elif line and not line.startswith("#"):
                self.panels[-1][2].append(line.split("\t"))


def starts(data):
    """Rows: kind (none, davit, other), name, median in ms. A bar each; the share that isn't the
    runtime's own is darker. Figures have one digit after the point, or none where the table has none."""
    rows = sum(len(panel[2]) for panel in data.panels)
    height = 62 + len(data.panels) * 70 + rows * 27
    p = Picture(880, height, "Starting a container",
                "Milliseconds to start a container without GPUs, with davit and with NVIDIA's toolkit.")
    p.text(20, 30, "Milliseconds to start a container", bold=True, size=16)
    y, left, width = 62, 250, 510
    for title, conditions, table in data.panels:
        p.text(20, y + 6, title, bold=True)
        p.text(20, y + 24, conditions, "soft", size=12)
        y += 38
        most = max(float(row[2]) for row in table)
        base = float(next(row[2] for row in table if row[0] == "none"))
        digits = 1 if any("." in row[2] for row in table) else 0
        for kind, name, median, *_ in table:
            value = float(median)
            p.text(left - 10, y + 15, name, anchor="end")
            p.rect(left, y + 1, width * min(value, base) / most, 19, "davit-light" if kind == "davit" else "other")
            if kind != "none" and value > base:
                p.rect(left + width * base / most, y + 1, width * (value - base) / most, 19,
                       "davit" if kind == "davit" else "warning")
            label = f"{value:.{digits}f}" + ("" if kind == "none" else f"  ({value - base:+.{digits}f})")
            p.text(left + width * value / most + 8, y + 15, label, size=12)
            y += 27
        y += 32
    p.text(20, height - 14, "light: without GPUs; dark: what giving the GPUs adds. Bars are to scale within one run.",
           "soft", size=12)
    return p


def decades(low, high):
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)  # a host with one GPU has one point
    return [10.0 ** power for power in range(first, last + 1)]


def short(value):
    return f"{value:g}" if value < 1000 else f"{value / 1000:g}k"


def spread(data):
    """Rows: kind, name, median, 99th percentile. A dot and a whisker each, on one logarithmic axis for
    a panel."""
    rows = sum(len(panel[2]) for panel in data.panels)
    height = 66 + len(data.panels) * 100 + rows * 26
    p = Picture(880, height, "Median and 99th percentile of a container's start",
                "A dot is the median of a start, the end of its whisker the 99th percentile.")
    p.text(20, 30, "A container's start: median and 99th percentile", bold=True, size=16)
    y, left, width = 62, 270, 540
    for title, conditions, table in data.panels:
        p.text(20, y + 6, title, bold=True)
        p.text(20, y + 24, conditions, "soft", size=12)
        y += 42
        low = min(float(row[2]) for row in table)
        high = max(float(row[3]) for row in table)
        ticks = [tick * step for tick in decades(low, high) for step in (1, 2, 5)]
        low = max(tick for tick in ticks if tick <= low)
        high = min(tick for tick in ticks if tick >= high)

        def x_of(value, low=low, high=high):
            return left + width * math.log10(value / low) / math.log10(high / low)

        bottom = y + 26 * len(table)
        for tick in ticks:
            if low <= tick <= high:
                p.line([(x_of(tick), y - 4), (x_of(tick), bottom)], "grid", width=1)
                p.text(x_of(tick), bottom + 17, short(tick), "soft", anchor="middle", size=12)
        p.text(left + width + 14, bottom + 17, "ms", "soft", size=12)
        for kind, name, median, high_ms in table:
            colour = "davit" if kind == "davit" else "other"
            p.text(left - 16, y + 16, name, anchor="end")
            p.line([(x_of(float(median)), y + 12), (x_of(float(high_ms)), y + 12)], colour + "-line", width=2)
            p.line([(x_of(float(high_ms)), y + 7), (x_of(float(high_ms)), y + 17)], colour + "-line", width=2)
            p.circle(x_of(float(median)), y + 12, 5, colour)
            y += 26
        y += 58
    p.text(20, height - 14, "dot: median; end of the line: 99th percentile; logarithmic axis", "soft", size=12)
    return p


class Axes:
    """One panel of a chart with two logarithmic axes."""

    def __init__(self, p, x, y, width, height, xs, ys):
        self.p, self.x, self.y, self.width, self.height = p, x, y, width, height
        self.xs, self.ys = xs, ys

    def at(self, a, b):
        across = math.log10(a / self.xs[0]) / math.log10(self.xs[-1] / self.xs[0])
        up = math.log10(b / self.ys[0]) / math.log10(self.ys[-1] / self.ys[0])
        return self.x + self.width * across, self.y + self.height * (1 - up)

    def draw(self, label):
        for tick in self.ys:
            (x, y), (end, _) = self.at(self.xs[0], tick), self.at(self.xs[-1], tick)
            self.p.line([(x, y), (end, y)], "grid", width=1)
            self.p.text(x - 6, y + 4, short(tick), "soft", anchor="end", size=11)
        for tick in self.xs:
            x, y = self.at(tick, self.ys[0])
            self.p.line([(x, y), (x, self.y)], "grid", width=1)
            self.p.text(x, y + 16, short(tick), "soft", anchor="middle", size=11)
        self.p.text(self.x + self.width / 2, self.y + self.height + 36, label, "soft", anchor="middle", size=12)
        self.p.text(self.x - 6, self.y - 10, "ms", "soft", anchor="end", size=11)

    def series(self, points, colour):
        self.p.line([self.at(a, median) for a, median, _ in points], colour + "-line", width=2)
        for a, median, high in points:
            (x, y), (_, top) = self.at(a, median), self.at(a, high)
            self.p.line([(x, y), (x, top)], colour + "-line", width=1.5)
            self.p.line([(x - 4, top), (x + 4, top)], colour + "-line", width=1.5)
            self.p.circle(x, y, 3.5, colour)


def growth(data):
    """Rows: kind, series, count, median, 99th percentile. A panel each, all with the same scale of
    milliseconds; the label of the panel's first axis stands behind its title."""
    p = Picture(880, 400, "Growth with GPUs, libraries and config.json",
                "Milliseconds on logarithmic axes: the hook beside a minimal program by GPUs, beside ldconfig by "
                "libraries in the image, and by the size of config.json.")
    p.text(20, 30, "How the hook's time grows", bold=True, size=16)
    p.text(20, 50, data.panels[0][1], "soft", size=12)
    values = [float(row[column]) for panel in data.panels for row in panel[2] for column in (3, 4)]
    ys = decades(min(values), max(values))
    step = 860 / len(data.panels)
    for i, (title, _, table) in enumerate(data.panels):
        counts = [float(row[2]) for row in table]
        axes = Axes(p, 20 + step * i + 40, 116, step - 68, 200, decades(min(counts), max(counts)), ys)
        p.text(20 + step * i, 84, title, bold=True)
        axes.draw(title.removeprefix("by "))
        names = list(dict.fromkeys((row[0], row[1]) for row in table))
        for j, (kind, name) in enumerate(names):
            colour = "davit" if kind == "davit" else "other"
            axes.series([tuple(map(float, row[2:5])) for row in table if row[1] == name], colour)
            p.circle(axes.x + 10, axes.y + 12 + 17 * j, 4, colour)
            p.text(axes.x + 20, axes.y + 16 + 17 * j, name, size=12)
    p.text(20, 386, "dot: median; whisker: 99th percentile; both axes are logarithmic", "soft", size=12)
    return p

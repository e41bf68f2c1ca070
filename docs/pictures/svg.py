# SPDX-License-Identifier: Apache-2.0
"""A picture in SVG with a light and a dark appearance. The colours are classes of a style sheet, so that
the viewer's preference decides. Text has no measured width: who draws leaves enough room."""
from xml.sax.saxutils import escape

# class: (property, light, dark)
COLOURS = {
    "paper": ("fill", "#ffffff", "#0d1117"),
    "panel": ("fill", "#f6f8fa", "#161b22"),
    "text": ("fill", "#1f2328", "#e6edf3"),
    "soft": ("fill", "#59636e", "#9198a1"),
    "davit": ("fill", "#1a7f37", "#3fb950"),
    "davit-light": ("fill", "#7cc792", "#1f6f36"),
    "other": ("fill", "#a0a7ae", "#6e7681"),
    "warning": ("fill", "#bc4c00", "#f0883e"),
    "box": ("stroke", "#8c959f", "#6e7681"),
    "line": ("stroke", "#59636e", "#9198a1"),
    "grid": ("stroke", "#d1d9e0", "#30363d"),
    "davit-line": ("stroke", "#1a7f37", "#3fb950"),
    "other-line": ("stroke", "#8c959f", "#8b949e"),
    "warning-line": ("stroke", "#bc4c00", "#f0883e"),
}
SANS = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


class Picture:
    def __init__(self, width, height, title, description):
        self.width, self.height = width, height
        self.title, self.description = title, description
        self.rules = []
        self.parts = []
        self.rect(0, 0, width, height, "paper", radius=8)

    def add(self, text):
        self.parts.append(text)

    def rule(self, text):
        """A line of the style sheet beside the colours."""
        self.rules.append(text)

    def rect(self, x, y, width, height, *classes, radius=0):
        self.add(f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
                 + (f' rx="{radius}"' if radius else "") + f' class="{" ".join(classes)}"/>')

    def circle(self, x, y, radius, kind):
        self.add(f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" class="{kind}"/>')

    def text(self, x, y, string, kind="text", anchor="start", size=13, bold=False, mono=False):
        style = "".join([f' text-anchor="{anchor}"' if anchor != "start" else "",
                         ' font-weight="600"' if bold else "", ' font-family="' + MONO + '"' if mono else ""])
        self.add(f'<text x="{number(x)}" y="{number(y)}" class="{kind}" font-size="{size}"{style}>'
                 f"{escape(string)}</text>")

    def line(self, points, kind="line", width=1.5, dashed=False, arrow=False):
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.add(f'<polyline points="{path}" fill="none" class="{kind}" stroke-width="{width}"'
                 + (' stroke-dasharray="5 4"' if dashed else "") + "/>")
        if arrow:
            self.arrow_head(points[-2], points[-1], kind)

    def arrow_head(self, start, end, kind):
        (x0, y0), (x1, y1) = start, end
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        for side in (1, -1):
            self.add(f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x1 - 8 * dx - side * 4 * dy)}" '
                     f'y2="{number(y1 - 8 * dy + side * 4 * dx)}" class="{kind}" stroke-width="1.5"/>')

    def box(self, x, y, width, height, head, lines=(), kind="panel", line="box", dashed=False):
        """A box with a head in bold and lines below it."""
        self.rect(x, y, width, height, kind, line, radius=6)
        if dashed:
            self.parts[-1] = self.parts[-1].replace("/>", ' stroke-dasharray="5 4"/>')
        self.text(x + 12, y + 21, head, bold=True)
        for i, string in enumerate(lines):
            self.text(x + 12, y + 40 + 17 * i, string, "soft", size=12)

    def style(self):
        light, dark = [], []
        for name, (what, first, second) in COLOURS.items():
            light.append(f".{name}{{{what}:{first}}}")
            dark.append(f".{name}{{{what}:{second}}}")
        return "\n".join(["<style>", *light, *self.rules, "@media (prefers-color-scheme: dark) {", *dark,
                          "}", "</style>"])

    def __str__(self):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
                f'viewBox="0 0 {self.width} {self.height}" role="img" font-family="{SANS}">')
        return "\n".join([head, f"<title>{escape(self.title)}</title>", f"<desc>{escape(self.description)}</desc>",
                          self.style(), *self.parts, "</svg>", ""])

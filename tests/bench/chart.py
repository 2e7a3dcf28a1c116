"""A chart of CPU per request, as SVG: one bar for each candidate under each load."""

import json
import os
import sys
from html import escape

COLOURS = {
    "bare Envoy": "#9aa5b1", "empty wasm filter": "#7b8794", "the host calls alone": "#62707d", "jwt_authn": "#d9a441", "jwt_authn, cached": "#d9a441",
    "jwt_authn + prom-label-proxy": "#c65d4b", "Promfence": "#2f7ed8",
}
WIDTH, LEFT, BAR, GAP = 760, 230, 16, 4


def chart(rows, title):
    """Bars are ratios to bare Envoy of the same load, which another machine has alike."""
    rows = [r for r in rows if r.get("workers", 1) == 1 and r["candidate"] in COLOURS and r.get("x_bare")]
    most = max(r["x_bare"] for r in rows)
    scale = (WIDTH - LEFT - 60) / most
    parts, y, load = [], 44, None
    for r in rows:
        if r["load"] != load:
            load, y = r["load"], y + 24
            parts.append(f'<text x="12" y="{y - 6}" font-weight="bold">{escape(load)}</text>')
        width = r["x_bare"] * scale
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(r["candidate"])}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[r["candidate"]]}"/>')
        parts.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + 12}">{r["x_bare"]:.2f}</text>')
        y += BAR + GAP
    height = y + 16
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="26" font-size="15">{escape(title)}</text>',
        *parts, "</svg>", "",
    ])


def write(path, rows, title):
    """Writes the chart beside the JSON."""
    target = os.path.splitext(path)[0] + ".svg"
    with open(target, "w") as f:
        f.write(chart(rows, title))
    return target


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        print(write(sys.argv[1], json.load(source)["rows"], "CPU per request, bare Envoy = 1"))

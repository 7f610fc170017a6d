"""Bars beside the figures, as SVG."""
import datetime

from harness import RESULTS

COLORS = {"weir": "#0b7285", "duckdb": "#f08c00", "polars": "#adb5bd", "datafusion": "#74b816"}


def bars(name: str, title: str, figures: dict, totals: dict) -> None:
    """One group of bars a query, a bar an engine; `figures` is query → engine → seconds (no number: it failed)."""
    seconds = lambda value: value if isinstance(value, (int, float)) else 0
    engines = list(totals)
    most = max(seconds(value) for row in figures.values() for value in row.values())
    step, parts, top = 10, [], 66
    for query, row in figures.items():
        parts.append(f'<text x="40" y="{top + len(engines) * step / 2 + 4}" text-anchor="end">{query}</text>')
        for place, engine in enumerate(engines):
            value, y = seconds(row[engine]), top + place * step
            width = max(1, value / most * 560)
            label = f"{value:.2f}" if isinstance(row[engine], (int, float)) else "failed"
            parts.append(f'<rect x="48" y="{y}" width="{width:.1f}" height="{step - 1}" fill="{COLORS[engine]}"/>'
                         f'<text x="{52 + width:.1f}" y="{y + step - 2}" class="small">{label}</text>')
        top += len(engines) * step + 6
    legend = "".join(
        f'<rect x="{8 + 150 * place}" y="34" width="12" height="12" fill="{COLORS[engine]}"/>'
        f'<text x="{24 + 150 * place}" y="45">{engine} {totals[engine]:.2f}</text>'
        for place, engine in enumerate(engines))
    path = RESULTS / f"{datetime.date.today().isoformat()}-{name}.svg"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{top + 10}" font-family="sans-serif" '
        f'font-size="13"><style>.small{{font-size:9px}}</style><rect width="100%" height="100%" fill="white"/>'
        f'<text x="8" y="20">{title}</text>{legend}{"".join(parts)}</svg>\n')

"""report.json to one self-contained page: inline style, inline SVG, no script, nothing from elsewhere. Foreign text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from salus.core.errors import SalusError
from salus.evaluation.report.svg import confusion_matrix, interval_bars, reliability_plot
from salus.evaluation.report.text import WORDS, headline

STYLE = """
:root{--ink:#1c2733;--soft:#5b6b7b;--line:#d7dee6;--accent:#0f6e84}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI","Noto Sans CJK SC",sans-serif;color:var(--ink);margin:0;background:#f4f6f8}
main{max-width:860px;margin:32px auto;padding:36px 44px;background:#fff;border:1px solid var(--line);border-radius:10px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:36px 0 10px;border-bottom:1px solid var(--line);padding-bottom:6px}
.headline{font-size:20px;line-height:1.45;margin:18px 0;padding:16px 20px;background:#eaf4f6;border-left:5px solid var(--accent);border-radius:4px}
.soft{color:var(--soft);font-size:14px}table{border-collapse:collapse;width:100%;font-size:15px}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid var(--line)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.tag{display:inline-block;font-size:12px;padding:1px 8px;border-radius:9px;background:#eef2f5;margin-right:6px}
.warning{background:#fdf0d8}.blocker{background:#fbdcd6}svg{max-width:100%;height:auto;margin:10px 0}
dl{display:grid;grid-template-columns:170px 1fr;gap:4px 12px;font-size:15px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media print{body{background:#fff}main{border:0;margin:0;padding:0}h2{break-after:avoid}svg,table{break-inside:avoid}}
"""
Report = Mapping[str, Any]


def render(report: Report, language: str = "en") -> str:
    """The page."""
    words = WORDS[language]
    title = f"{words['title']}: {', '.join(report['target'])}"
    sections = [
        f"<h1>{escape(title)}</h1><div class='soft'>{escape(report['task'])} · {escape(report['data']['name'])}</div>",
        f"<p class='headline'>{escape(headline(report, language))}</p><p class='soft'>{words['same_graph']}</p>",
        _metrics(report, words),
        _targets(report, words),
        _confusion(report, words),
        _classes(report, words),
        _calibration(report, words),
        _findings(report, words, language),
        _made(report, words),
    ]
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    return f"<!doctype html><html lang='{language}'><head>{head}<style>{STYLE}</style></head><body><main>{''.join(sections)}</main></body></html>"


def _metrics(report: Report, words: Mapping[str, str]) -> str:
    rows, bars = [], []
    for name, found in report["metrics"].items():
        nothing = report["baseline"][name]["value"]
        wide = f" <span class='tag warning'>{words['wide']}</span>" if found["wide"] else ""
        cells = [f"{found['value']:.4g}", f"{found['low']:.4g} – {found['high']:.4g}", f"{nothing:.4g}"]
        rows.append(
            f"<tr><td>{escape(name)}{wide}</td>" + "".join(f"<td class='n'>{cell}</td>" for cell in cells) + "</tr>"
        )
        if found["low"] >= 0 and found["high"] <= 1 and name != "log_loss":
            bars.append((name, found["value"], found["low"], found["high"], nothing))
    head = _head([words["metric"]], [words["value"], words["interval"], words["nothing"]])
    plot = interval_bars(bars, 0.0, 1.0) if report["confusion"] and bars else ""
    return f"<h2>{words['metrics']}</h2>{plot}<table>{head}{''.join(rows)}</table>"


def _targets(report: Report, words: Mapping[str, str]) -> str:
    if "per_target" not in report:
        return ""
    names = list(report["metrics"])
    rows = [
        f"<tr><td>{escape(item['target'])}</td>"
        + "".join(f"<td class='n'>{item[name]['value']:.4g}</td>" for name in names)
        + "</tr>"
        for item in report["per_target"]
    ]
    return f"<h2>{words['targets']}</h2><table>{_head([''], names)}{''.join(rows)}</table>"


def _confusion(report: Report, words: Mapping[str, str]) -> str:
    if not report["confusion"]:
        return ""
    plot = confusion_matrix(report["confusion"]["levels"], report["confusion"]["counts"], words["truth"], words["said"])
    return f"<h2>{words['confusion']}</h2>{plot}" if plot else ""


def _classes(report: Report, words: Mapping[str, str]) -> str:
    if not report["per_class"]:
        return ""
    rows = []
    for item in sorted(report["per_class"], key=lambda item: (item["recall"] is None, item["recall"])):
        shares = ["–" if share is None else f"{share:.1%}" for share in (item["recall"], item["precision"])]
        cells = "".join(f"<td class='n'>{cell}</td>" for cell in (str(item["rows"]), *shares))
        rows.append(f"<tr><td>{escape(item['level'])}</td>{cells}</tr>")
    head = _head([words["class"]], [words["rows"], words["recall"], words["precision"]])
    return f"<h2>{words['classes']}</h2><table>{head}{''.join(rows)}</table>"


def _calibration(report: Report, words: Mapping[str, str]) -> str:
    found = report["calibration"]
    if not found:
        return ""
    named = (words["confidence"], words["share"], words["before"], words["after"])
    plot = reliability_plot(found["before"]["bins"], found["after"]["bins"], named)
    rows = [
        f"<tr><td>{words[side]}</td>"
        + "".join(f"<td class='n'>{found[side][name]:.4f}</td>" for name in ("ece", "log_loss", "brier"))
        + "</tr>"
        for side in ("before", "after")
    ]
    return f"<h2>{words['calibration']}</h2>{plot}<table>{_head([''], ['ECE', 'log loss', 'Brier'])}{''.join(rows)}</table>"


def _findings(report: Report, words: Mapping[str, str], language: str) -> str:
    items = []
    for finding in report["findings"]:
        text = SalusError(finding["code"], **finding["parameters"]).text(language)
        severity = finding["severity"]
        items.append(f"<p><span class='tag {severity}'>{severity}</span>{escape(text)}</p>")
    return f"<h2>{words['findings']}</h2>{''.join(items) or words['no_findings']}"


def _made(report: Report, words: Mapping[str, str]) -> str:
    split, learner = report["split"], report["learner"]
    sides = ", ".join(f"{name} {split[name]}" for name in ("train", "validation", "test"))
    if split["groups"]:
        sides += f" ({', '.join(str(n) for n in split['groups'].values())} {words['people']})"
    tried = ", ".join(
        f"{item['learner']}: {words['loss']} {item['score']:.4f}, {item['seconds']:.1f} s" for item in report["tried"]
    )
    verdict = words["passed"] if report["gate"]["passed"] else words["refused"]
    facts = [
        (words["data"], f"{report['data']['name']} {report['data']['version'][:16]}, {report['data']['rows']}"),
        (words["split"], f"{split['how']}: {sides}"),
        (words["learner"], f"{learner['name']} {_options(learner['config'])}"),
        (words["tried"], tried),
        (words["budget"], f"{report['plan']['budget_s']:.0f} s; {report['seconds']['total']:.0f} s"),
        (words["latency"], f"{report['latency']['one_row_ms']:.3f} ms"),
        (words["size"], f"{report['size_bytes'] / 1e6:.2f} MB"),
        (words["gate"], "; ".join([verdict, *report["gate"]["reasons"]])),
    ]
    cut = f"<p class='tag warning'>{words['cut']}</p>" if report["cut"] else ""
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f"<h2>{words['how']}</h2>{cut}<dl>{terms}</dl>"


def _options(config: Mapping[str, Any]) -> str:
    return (
        "("
        + ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in config.items()
        )
        + ")"
    )


def _head(texts: Sequence[str], numbers: Sequence[str]) -> str:
    cells = [f"<th>{escape(text)}</th>" for text in texts] + [f"<th class='n'>{escape(text)}</th>" for text in numbers]
    return f"<tr>{''.join(cells)}</tr>"

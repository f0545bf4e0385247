"""report.json to one self-contained page: inline style, inline SVG, no script, nothing from elsewhere. Foreign text is escaped.

Knows the order and the look of the page. What each section says is in `sections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from salus.evaluation.report import decided, insight, sections, told
from salus.evaluation.report.parts import Said
from salus.evaluation.report.scores import METRIC_WORDS, TASK_WORDS, headline
from salus.evaluation.report.shown import shown
from salus.evaluation.report.text import WORDS

STYLE = """
:root{--ink:#1c2733;--soft:#5b6b7b;--line:#e0e6ec;--accent:#0f6e84}
*{box-sizing:border-box;-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans CJK SC","PingFang SC",
 "Microsoft YaHei",sans-serif;color:var(--ink);margin:0;background:#f4f6f8}
main{max-width:860px;margin:28px auto;padding:36px 48px 40px;background:#fff;border:1px solid var(--line);border-radius:12px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:17px;margin:38px 0 6px;padding-top:18px;border-top:1px solid var(--line)}
h3{font-size:14px;margin:18px 0 4px;color:var(--soft)}
.headline{font-size:20px;line-height:1.45;margin:20px 0 8px;padding:18px 22px;
 background:#eaf4f6;border-left:5px solid var(--accent);border-radius:6px}
.soft,.note{color:var(--soft);font-size:13.5px;margin:4px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(126px,1fr));gap:10px;margin:18px 0 0}
.tile{border:1px solid var(--line);border-radius:8px;padding:9px 14px;overflow-wrap:anywhere}
.tile b{display:block;font-size:17px;font-weight:600}.tile span{color:var(--soft);font-size:12.5px}
table{border-collapse:collapse;width:100%;font-size:14.5px;margin:8px 0}
th{font-weight:600;color:var(--soft);font-size:13px}
th,td{text-align:left;padding:7px 10px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td small{display:block;color:var(--soft);font-size:12.5px}
.tag{display:inline-block;font-size:12px;padding:0 9px;border-radius:9px;background:#e8eef2;margin-right:8px;white-space:nowrap}
.warning{background:#fdf0d8}.blocker,.refused{background:#fbdcd6}.passed{background:#dcf1e3}
.finding{margin:8px 0}.finding .soft{margin:0}
.cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(236px,1fr));gap:14px;margin:12px 0}
.case{border:1px solid var(--line);border-radius:8px;padding:12px;font-size:13.5px;overflow-wrap:anywhere;break-inside:avoid}
.case.wide{grid-column:span 1;min-width:0}.case img{display:block;width:96px;height:96px;object-fit:contain;margin-bottom:8px;
 image-rendering:pixelated;background:#f0f3f6;border-radius:4px}.case svg{margin:0 0 8px}
details{margin:8px 0}summary{cursor:pointer;color:var(--accent);font-size:14px}ul{margin:8px 0;padding-left:20px}
svg{display:block;max-width:100%;height:auto;margin:12px 0}
dl{display:grid;grid-template-columns:150px 1fr;gap:5px 14px;margin:10px 0;font-size:14.5px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:34px;padding-top:14px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}
@media (max-width:640px){main{padding:20px;margin:0;border:0}dl{grid-template-columns:1fr}}
@page{margin:16mm}
@media print{body{background:#fff;font-size:10pt}table,dl{font-size:10pt}th,td{padding:4px 8px}
 h2{margin-top:22px;padding-top:10px}.note{break-after:avoid}
 main{border:0;margin:0;padding:0;max-width:none}h2{break-after:avoid}
 svg,tr,.finding,.tiles{break-inside:avoid}}
"""


def render(report: Mapping[str, Any], language: str = "en") -> str:
    """The page."""
    words = WORDS[language]
    said = Said(report, words, METRIC_WORDS[language], language)
    title = f"{words['title']}: {', '.join(report['target'])}"
    task = TASK_WORDS[language].get(report["task"], report["task"])
    judged = words["judged_in_folds" if report["split"]["how"] in ("folds", "group-folds") else "same_graph"]
    body = [
        f"<header><h1>{escape(title)}</h1><div class='soft'>{escape(task)} · {escape(report['data']['name'])}</div></header>",
        f"<p class='headline'>{escape(headline(report, language))}</p><p class='soft'>{judged}</p>",
        sections.tiles(said),
        sections.metrics(said),
        shown(said),
        told.contrast(said),
        told.overlap(said),
        told.versus(said),
        sections.targets(said),
        sections.answers(said),
        decided.conformal(said),
        decided.decision(said),
        sections.confusion(said),
        sections.classes(said),
        decided.abstention(said),
        sections.calibration(said),
        sections.people(said),
        insight.subgroups(said),
        insight.errors(said),
        insight.importance(said),
        insight.dependence(said),
        insight.saliency(said),
        sections.findings(said),
        told.choice(said),
        sections.made(said),
        f"<footer>{words['limits']}</footer>",
    ]
    view = "<meta name='viewport' content='width=device-width,initial-scale=1'>"
    head = f"<meta charset='utf-8'>{view}<title>{escape(title)}</title><style>{STYLE}</style>"
    tongue = "zh-Hans" if language == "zh" else "en"
    return f"<!doctype html><html lang='{tongue}'><head>{head}</head><body><main>{''.join(body)}</main></body></html>"

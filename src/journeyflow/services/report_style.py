"""The look of the report: light and dark, on a phone, on paper; nothing is loaded from elsewhere."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1d22; --paper: #fbfbfa; --card: #fff; --faint: #595e68; --line: #d9dbe0;
  --edge: #7d838e; --act: #1a56c4; --message: #e8effc; --bar: #3b6fd1; --kept: #dbe5f8; --warn: #9a4b00; --c0: #3b6fd1;
  --c1: #d9822b; --c2: #2a9d8f; --c3: #b5487d; --c4: #7a9a1f; --c5: #6f5bd6; --c6: #b8860b; --c7: #757b87; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceef2; --paper: #15171b; --card: #1d2026; --faint: #a9afba; --line: #353a43; --edge: #8b919d;
    --act: #8ab4ff; --message: #21304d; --bar: #6f9cf0; --kept: #2a3a58; --warn: #f0a860; --c0: #6f9cf0;
    --c1: #eda25a; --c2: #4cc2b3; --c3: #dd7bab; --c4: #a5c64a; --c5: #9d8cf5; --c6: #d9b13f; --c7: #a2a8b3; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; line-height: 1.25; margin: 3rem 0 .4rem; padding-top: 1.5rem; overflow-wrap: anywhere;
  border-top: 1px solid var(--line); }
.quiet h2 { font-size: 1.15rem; margin-top: 1.5rem; padding-top: 1rem; }
h3 { font-size: 1.08rem; margin: 1.9rem 0 .6rem; }
p { margin: 0 0 .8rem; max-width: 46rem; }
a { color: var(--act); }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.faint, caption small { color: var(--faint); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; margin: .8rem 0 0; padding: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0;
  padding: 0; list-style: none; }
.figures li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; }
.figures b { display: block; font-size: 1.45rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.figures span { color: var(--faint); font-size: .88rem; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  margin: 0 0 1rem; }
.wide:focus-visible, a:focus-visible, summary:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: 0 2rem;
  align-items: start; }
.pair > * { min-width: 0; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .7rem .9rem .35rem; }
caption small { display: block; font-weight: 400; }
th, td { text-align: left; padding: .4rem .9rem; border-top: 1px solid var(--line); vertical-align: top; }
tbody th { font-weight: 400; overflow-wrap: break-word; min-width: 7rem; max-width: min(20rem, 50vw); }
thead th { color: var(--faint); font-weight: 600; font-size: .86rem; white-space: nowrap; }
thead th, thead td { border-top: 0; }
.number { text-align: right; white-space: nowrap; }
.meter { width: 30%; min-width: 7rem; }
.meter svg { display: block; width: 100%; height: 1.1rem; }
details { margin: 0 0 1rem; }
summary { cursor: pointer; color: var(--act); padding: .25rem 0; }
details[open] > summary { margin-bottom: .5rem; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1.25rem; margin: 0 0 1rem; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; padding: 0; margin: 0 0 .5rem;
  font-size: .92rem; }
.legend svg { width: .8rem; height: .8rem; margin-right: .4rem; }
.alert { border-left: .3rem solid var(--warn); padding: .2rem 0 .2rem .9rem; }
footer { padding-top: 2.5rem; padding-bottom: 3rem; }
svg.graph { display: block; margin: 0 auto; }
svg.chart { display: block; width: 100%; min-width: 40rem; height: auto; }
svg text { fill: var(--ink); font-size: 13px; font-family: inherit; }
svg .name { font-weight: 600; }
svg .type { text-anchor: end; fill: var(--faint); font-size: 12px; }
svg .faint { fill: var(--faint); font-size: 12px; }
svg .middle { text-anchor: middle; }
svg .right { text-anchor: end; }
svg .label { font-size: 12px; font-variant-numeric: tabular-nums; paint-order: stroke; stroke: var(--card);
  stroke-width: 5px; stroke-linejoin: round; }
.node rect { fill: var(--card); stroke: var(--edge); }
.node.message rect { fill: var(--message); stroke: var(--act); }
.node.unused rect { stroke-dasharray: 3 3; }
.pill rect { fill: var(--card); stroke: var(--edge); }
.pill.entry rect { fill: var(--ink); stroke: var(--ink); }
.pill.entry text { fill: var(--card); font-weight: 600; }
.way path, .back path { fill: none; stroke: var(--edge); stroke-width: 1.6; }
.back path { stroke: var(--act); }
.way polygon { fill: var(--edge); }
.back polygon { fill: var(--act); }
.way.unused path, .back.unused path { stroke-dasharray: 3 4; opacity: .7; }
.axis { stroke: var(--line); }
.bar { fill: var(--bar); }
.kept { fill: var(--kept); }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); }
.c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); } .c7 { fill: var(--c7); }
@media (max-width: 40rem) {
  main, header, footer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.55rem; }
  th, td, caption { padding-left: .65rem; padding-right: .65rem; }
  .figures { grid-template-columns: repeat(2, 1fr); }
}
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --card: #fff; --faint: #444; --line: #bbb; --edge: #666;
    --act: #1a56c4; --message: #e8effc; --bar: #3b6fd1; --kept: #dbe5f8; }
  body { font-size: 10pt; }
  nav { display: none; }
  .wide { overflow: visible; border: 0; }
  svg.graph { max-width: 100%; max-height: 24cm; height: auto; }
  svg.chart { min-width: 0; }
  h2 { break-before: page; border-top: 0; padding-top: 0; margin-top: 0; }
  .quiet h2 { break-before: auto; margin-top: 1rem; }
  h2.first { break-before: auto; margin-top: 1.5rem; }
  h3, caption { break-after: avoid; }
  tr, .figures li { break-inside: avoid; }
  a { color: inherit; text-decoration: none; }
}
"""

#include "lib/chart/page.h"

#include "lib/chart/chart.h"

static const char STYLE[] =
    ":root{--fg:#1b1f24;--soft:#57606a;--line:#d0d7de;--bg:#fff;--actual:#0550ae;--plan:#57606a;--last:#9a6700;--alert:"
    "#b42318;"
    "--mark:#6639ba}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--soft:#9da7b3;--line:#3d444d;--bg:#0d1117;--actual:#6cb6ff;"
    "--plan:#adbac7;--last:#e3b341;--alert:#ff7b72;--mark:#d2a8ff}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}\n"
    "main{max-width:50rem;margin:0 auto;padding:1.5rem 1rem 3rem}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0}\n"
    "h2{font-size:1.2rem;margin:2rem 0 .5rem;break-after:avoid}\n"
    ".window{color:var(--soft);margin:.25rem 0 1rem}\n"
    ".verdict{font-size:1.2rem;line-height:1.45;border-left:4px solid var(--actual);padding-left:.9rem;margin:1rem 0}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}\n"
    "th:first-child,td.what,th.what,.timeline td,.timeline th,.words td,.words th{text-align:left}\n"
    ".timeline td{white-space:nowrap}.timeline "
    "td:last-child{white-space:normal;width:60%;min-width:14rem;overflow-wrap:anywhere}\n"
    ".wide{overflow-x:auto;margin:.5rem 0}.wide:focus-visible{outline:2px solid var(--actual)}\n"
    ".sale td{white-space:nowrap}.sale td:last-child{white-space:normal}.sale tbody,.whole{break-inside:avoid}\n"
    ".short{padding-left:1.2rem;margin:0 0 1rem}.short li{margin:.15rem 0}.soft{color:var(--soft)}\n"
    "thead th{color:var(--soft);font-weight:600;font-size:.85rem}\n"
    ".main{font-weight:700}\n"
    ".up,.under{color:var(--soft);font-size:.85rem;white-space:nowrap}.under{color:var(--alert);font-weight:600}\n"
    ".alert strong{color:var(--alert)}\n"
    ".q{font-size:.65rem;vertical-align:super;color:var(--soft);text-decoration:none;margin-left:.2em;font-weight:400}"
    "\n"
    ".q+.q::before{content:','}\n"
    "figure{margin:1.2rem 0;break-inside:avoid}figcaption{font-weight:600}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "polyline{fill:none;stroke:var(--soft)}\n"
    ".c-actual{stroke:var(--actual);stroke-width:2}.c-plan{stroke:var(--plan);stroke-width:1.6;stroke-dasharray:8 4}\n"
    ".c-last{stroke:var(--last);stroke-width:1.6;stroke-dasharray:2 3}\n"
    ".c-grid{stroke:var(--line);stroke-width:.6}.c-axis{stroke:var(--soft);stroke-width:1}\n"
    ".c-mark{stroke:var(--mark);stroke-width:1;stroke-dasharray:3 2}.c-alert{stroke:var(--alert);stroke-width:1}\n"
    ".c-alert-bar{fill:var(--alert);opacity:.12}.c-mark-bar{fill:var(--mark);opacity:.12}\n"
    ".c-actual-dot{fill:var(--actual);opacity:.7}.c-plan-dot{fill:var(--plan)}.c-last-dot{fill:var(--last)}.c-alert-"
    "dot{fill:var(--alert)}"
    "\n"
    "svg text{font:11px system-ui,sans-serif;fill:var(--fg)}\n"
    "details{font-size:.85rem;color:var(--soft)}.twin caption{text-align:left}\n"
    ".queries{font-size:.8rem}.queries code{overflow-wrap:anywhere}.note{color:var(--alert)}\n"
    "tr{break-inside:avoid}thead{display:table-header-group}\n"
    "@media(max-width:36rem){body{font-size:14px}th,td{padding:.3rem .25rem}main{padding:1rem .6rem}}\n"
    "@page{size:A4;margin:15mm}\n"
    "@media "
    "print{:root{--fg:#000;--soft:#444;--line:#bbb;--bg:#fff;--actual:#0550ae;--plan:#57606a;--last:#9a6700;--alert:#"
    "b42318;"
    "--mark:#6639ba}body{font-size:10.5pt}main{max-width:none;padding:0}details{display:none}.wide{overflow:visible}."
    "sale{font-size:9pt}.sale th,.sale td{padding:.3rem .3rem}p{"
    "orphans:3;widows:3}h2+p{break-after:avoid}.verdict,.short{break-inside:avoid}figure{margin:.7rem 0}}\n";

void page_begin(struct buf *out, struct span title)
{
    buf_str(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                 "content=\"width=device-width, initial-scale=1\">\n<title>");
    html_text(out, title);
    buf_str(out, "</title>\n<style>\n");
    buf_str(out, STYLE);
    buf_str(out, "</style></head>\n<body><main>\n");
}

void page_end(struct buf *out)
{
    buf_str(out, "</main></body></html>\n");
}

void page_table(struct buf *out, const char *label)
{
    buf_printf(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>", label);
}

void page_table_end(struct buf *out)
{
    buf_str(out, "</tbody></table></div>\n");
}

int page_figure(struct buf *out, const char *title, struct chart *drawn)
{
    buf_str(out, "<figure><figcaption>");
    html_text(out, span_str(title));
    buf_str(out, "</figcaption>\n");
    chart_svg(drawn, out);
    chart_free(drawn);
    buf_str(out, "<details><summary>The numbers</summary>\n");
    return buf_error(out);
}

void page_figure_end(struct buf *out)
{
    buf_str(out, "</details></figure>\n");
}

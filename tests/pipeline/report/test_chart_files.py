"""The chart as files: the page fetches nothing, and each line of its table has its bubble."""

from html.parser import HTMLParser
from pathlib import Path

from cache_tools.images import read_image
from pipeline.report.chart_files import write_chart
from pipeline.report.rows import Row
from tests.samples.report_rows import paper_chart_rows


class Links(HTMLParser):
    """Collect what a page would fetch, and its ids."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the links and the id of one tag."""
        values = dict(attrs)
        self.fetched += [v for k, v in values.items() if k in ("src", "href", "xlink:href") and v and v[0] != "#"]
        self.ids |= {v for k, v in values.items() if k == "id" and v}


def test_the_page_is_one_file_and_every_line_has_its_bubble(tmp_path: Path) -> None:
    rows = [*paper_chart_rows()[:5], Row(name="not run <yet>", role="student")]
    paths = write_chart(rows, tmp_path)
    assert [path.name for path in paths] == ["bubble.svg", "bubble.png", "bubble.html"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    page = paths[2].read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert links.fetched == []
    assert {f"row-{number}" for number in range(5)} <= links.ids
    assert page.count("data-bubble=") == 5
    assert "<td>–‡</td>" in page
    assert "‡ not run." in page
    assert "ONNX ms/image" in page
    assert "not run &lt;yet&gt;" in page
    # no placeholder of the template is left, and no string of the script runs over the end of its line
    script = page[page.index("<script>") : page.index("</script>")]
    assert "$" not in page[page.index("</svg>") :]
    assert all(line.count('"') % 2 == 0 for line in script.splitlines())
    assert read_image(paths[1]).shape[1] > 1000

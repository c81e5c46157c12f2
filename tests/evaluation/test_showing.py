"""Reports and comparisons as a person sees them: in a terminal, in a notebook."""

import recsys_gru as rg
from tests.contract.suite import log


def test_a_report_is_a_table_in_text_and_in_a_notebook() -> None:
    report = rg.evaluate(
        rg.Markov().fit(log()),
        log(20, seed=4, first=500).with_columns(item_id=log(20, seed=4)["item_id"] + 3),
    )
    page, text = report._repr_html_(), repr(report)
    for k in (5, 10, 20):
        assert f"<td>{k}</td><td>{report.recall[k]:.4f}</td><td>{report.mrr[k]:.4f}</td>" in page
        assert f"{report.recall[k]:.4f} {report.mrr[k]:>8.4f}" in text
    for row in report.views().filter(k=20).iter_rows(named=True):
        assert row["view"] in text
        assert f"<td>{row['view']}</td><td>{row['events']}</td>" in page
    assert report.warnings
    assert all(f"warning: {warning}" in text for warning in report.warnings)
    assert page.count("warning: ") == len(report.warnings)


def test_a_comparison_is_a_table_in_text_and_in_a_notebook() -> None:
    test = log(20, seed=4, first=500)
    one, other = (rg.evaluate(kind().fit(log()), test).ranks for kind in (rg.Popularity, rg.Markov))
    found = rg.compare(one, other, cutoffs=(5, 10))
    lines = repr(found).splitlines()
    assert lines[0].split() == ["metric", "k", "A", "B", "B", "-", "A", "low", "high", "p", "p", "Holm"]
    assert len(lines) == 1 + found.table.height + 1
    row = found.table.row(0, named=True)
    assert f"{row['a']:.4f} {row['b']:.4f} {row['difference']:+.4f}" in lines[1]
    assert f"<td>{row['a']:.4f}</td><td>{row['b']:.4f}</td>" in found._repr_html_()
    assert f"{found.events} events of {found.sessions} sessions" in lines[-1]

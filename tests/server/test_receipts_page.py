"""What the page says of keys, receipts and policies."""

from __future__ import annotations

from datetime import date

from example_report import example_report

from server.report import Report, render_html


def example() -> Report:
    return example_report().model_copy(update={"pictures": None})


def deployed_page() -> str:
    report = example()
    promise = report.promise.model_copy(update={"randomness": "system"})
    return render_html(report.model_copy(update={"promise": promise}))


def test_a_reader_can_hold_every_ledger_to_its_receipt() -> None:
    page = render_html(example())
    for site in example().sites:
        assert site.receipt is not None
        assert site.receipt.fingerprint in page and site.receipt.head in page
        assert site.receipt.text not in page  # it is in report.json, and in a file of its own
    assert page.count("Last digest (SHA-256) of each ledger") == 0
    assert "signature shows the form only" in page
    assert "signature shows the form only" not in deployed_page()


def test_a_ledger_without_a_receipt_still_shows_its_digest() -> None:
    report = example()
    first, *others = report.sites
    sites = (first.model_copy(update={"receipt": None, "ledger_head": "9f2c" * 16}), *others)
    page = render_html(report.model_copy(update={"sites": sites}))
    assert "no receipt is held" in page and "9f2c" * 16 in page
    assert "receipts of 3 of 4 ledgers" in page


def test_policies_are_told_together_where_they_agree() -> None:
    page = render_html(example())
    words = "policy allows epsilon 1 in the life of the data set and 1 in one study"
    assert page.count(f"Every site's {words}") == page.count(words) == 1
    report = example()
    first, *others = report.sites
    assert first.policy is not None
    changed = first.policy.model_copy(update={"holdout": 0.0, "expires": date(2030, 6, 1)})
    sites = (first.model_copy(update={"policy": changed}), *others)
    other = render_html(report.model_copy(update={"sites": sites}))
    assert "The policy of north allows" in other and "holds no records out" in other
    assert "allows no new study after 1 June 2030" in other
    assert "The policy of south, east, west allows" in other and "Every site's policy" not in other

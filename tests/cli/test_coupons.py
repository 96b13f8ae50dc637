"""``coupons``."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.cli.calls import call, data, done

GIFT = """
journey: gift
triggers: [{type: event, event: Go}]
start: code
nodes: {code: {type: coupon, pool: spring}}
"""


@pytest.fixture
def applied(flows: Path) -> Path:
    (flows / "gift.yaml").write_text(GIFT)
    (flows / "spring.yaml").write_text("coupon_pool: spring\ncodes: uploaded\n")
    (flows / "old.yaml").write_text("coupon_pool: old\ncodes: generated\n")
    done("apply", flows)
    return flows


def test_codes_of_a_csv_are_put_into_a_pool(applied: Path) -> None:
    Path("codes.csv").write_text("SPRING-1\nSPRING-2\n\nSPRING-3\n")

    assert done("coupons", "import", "spring", "codes.csv") == "3 codes imported; 3 left in the pool\n"

    assert not Path("codes.csv.rejected").exists()
    assert done("coupons", "show", "spring") == "spring (uploaded): 0 given, 0 redeemed, left: 3\n"
    assert data("coupons", "show", "spring", "--json")["left"] == 3


def test_a_quote_that_never_ends_is_told_with_its_line(applied: Path) -> None:
    Path("codes.csv").write_text('SPRING-1\n"SPRING-2\nSPRING-3\n')

    result = call("coupons", "import", "spring", "codes.csv")

    told = "error: codes.csv:2: the quote that begins here never ends; nothing was imported\n"
    assert (result.exit_code, result.stderr) == (1, told)


def test_a_header_names_the_column(applied: Path) -> None:
    with gzip.open("codes.csv.gz", "wt") as file:
        file.write('id,Code,note\n1,"A-1",x\n2,A-2,\n')

    assert done("coupons", "import", "spring", "codes.csv.gz") == "2 codes imported; 2 left in the pool\n"


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("coupon,percent\nZ5,10\n", "coupon,percent", ""),
        ("Z6;10\nZ7;10\n", "Z6;10", "; it seems to have semicolons between its columns: save it with commas"),
    ],
)
def test_columns_none_of_which_is_called_code_are_refused(applied: Path, text: str, found: str, hint: str) -> None:
    """What is in them may be anything, and can't be taken out of the pool again."""
    Path("codes.csv").write_text(text)

    result = call("coupons", "import", "spring", "codes.csv")

    told = f'error: codes.csv:1: line: expected a column code, or codes alone, found "{found}"{hint}'
    assert (result.exit_code, result.stderr) == (1, f"{told}; nothing was imported\n")


def test_what_was_not_imported_is_written_beside_the_file_and_can_be_imported_again(applied: Path) -> None:
    Path("codes.csv").write_text(f"A-1\n{'x' * 200}\nA-2\nA-1\n")
    done("coupons", "import", "spring", _file("first.csv", "A-2\n"))

    result = call("coupons", "import", "spring", "codes.csv")

    assert (result.exit_code, result.stdout) == (
        1,
        "1 code imported, 2 duplicates, 1 other line rejected; 2 left in the pool\n",
    )
    assert result.stderr.splitlines()[1:] == [
        "codes.csv:2: expected a code of 1 to 128 printable characters",
        "codes.csv:3: is in the pool already",
        "codes.csv:4: comes twice: it is in line 1 too",
    ]
    rejected = Path("codes.csv.rejected").read_text()
    assert rejected.splitlines()[0] == "line,reason,code"
    again = call("coupons", "import", "spring", _file("again.csv", rejected.replace("x" * 200, "A-3")))
    assert again.stdout == "1 code imported, 2 duplicates; 3 left in the pool\n"


def _file(name: str, text: str) -> Path:
    Path(name).write_text(text)
    return Path(name)


@pytest.mark.parametrize(
    ("pool", "said"), [("old", "does not say codes: uploaded"), ("none", "there is no coupon pool none")]
)
def test_another_pool_takes_none(applied: Path, pool: str, said: str) -> None:
    result = call("coupons", "import", pool, _file("codes.csv", "A\n"))

    assert result.exit_code == 1
    assert said in result.stderr


def test_two_columns_of_codes_are_refused(applied: Path) -> None:
    result = call("coupons", "import", "spring", _file("codes.csv", "Code,note, code\nA-1,x,A-2\n"))

    assert result.exit_code == 1
    assert result.stderr == (
        'error: codes.csv:1: header, columns 1 and 3: expected each name once, found "code"; nothing was imported\n'
    )


def test_a_file_that_is_no_csv_is_refused_whole(applied: Path) -> None:
    result = call("coupons", "import", "spring", _file("codes.csv", 'A-1\n"A-2\n'))

    assert result.exit_code == 1
    assert "nothing was imported" in result.stderr
    assert data("coupons", "show", "spring", "--json")["left"] == 0

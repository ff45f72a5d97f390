"""docs/operations.md tells what the tests try, and nothing else."""

import re

from tests.chaos.outages.page import PAGE, with_tables
from tests.chaos.outages.table import DEPENDENCIES, FAULTS, OUTAGES, USES


def test_the_page_has_the_tables_of_the_tests() -> None:
    assert PAGE.read_text() == with_tables(PAGE.read_text()), "run `make docs` and commit what it changed"


def test_every_fault_is_in_one_row_of_each_table() -> None:
    for dependency in DEPENDENCIES:
        assert sorted(fault for each in OUTAGES[dependency] for fault in each.faults) == sorted(FAULTS)


def test_uses_and_faults_are_explained() -> None:
    explained = set(re.findall(r"(?:\*\* |\. )([a-z-]+): ", PAGE.read_text()))
    assert {*USES, *(fault.replace("_", "-") for fault in FAULTS)} <= explained

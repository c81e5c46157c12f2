"""Copies of the item table: the same until the table changes, and none are kept meanwhile."""

import numpy as np
import torch

from recsys_gru.engines import on_threads
from recsys_gru.kernels.coarse import Coarse, coarse_of
from recsys_gru.model.copies import Copies
from recsys_gru.model.rows import stretched
from tests.threads import torch_threads


def test_a_coarse_copy_is_kept_until_the_table_changes_and_none_is_made_meanwhile() -> None:
    table, bias, copies = torch.ones(4, 3), torch.zeros(4, 1), Copies()
    first = copies.coarse(table, bias)
    assert first is not None
    assert copies.coarse(table, bias) is first
    with copies.changing():
        assert copies.coarse(table, bias) is None
        table[1] = 2
    second = copies.coarse(table, bias)
    assert second is not None
    assert second.scales[1] == np.float32(2 / 127)
    assert copies.coarse(table.double(), bias) is None


def test_stretched_rows_are_kept_until_the_table_changes_and_are_the_newest_meanwhile() -> None:
    table, copies = torch.ones(4, 4), Copies()
    first = copies.stretched(table, 3.0)
    assert torch.equal(first, torch.full((4, 4), 1.5))
    assert copies.stretched(table, 3.0) is first
    with copies.changing():
        table[1] = torch.tensor([0.0, 2.0, 0.0, 0.0])
        assert copies.stretched(table, 3.0)[1].tolist() == [0, 3, 0, 0]
    assert copies.stretched(table, 3.0)[1].tolist() == [0, 3, 0, 0]


def test_rows_that_are_not_stretched_are_the_table_itself() -> None:
    table = torch.ones(4, 3)
    assert Copies().stretched(table, 0.0) is table


def test_copies_of_a_table_that_changes_and_grows_are_those_of_a_new_one() -> None:
    generator, copies = torch.Generator().manual_seed(1), Copies()
    whole, bias = torch.randn(90, 5, generator=generator), torch.zeros(90, 1)
    places = set()
    for count in (70, 70, 75, 90, 72):
        with copies.changing():
            whole[::3] = torch.randn(30, 5, generator=generator)
            whole[count // 2] = 0
        table = whole[:count]
        found, new = copies.stretched(table, 3.0), stretched(table, 3.0)
        assert torch.equal(found, new)
        coarse, other = copies.coarse(found, bias[:count]), coarse_of(new.numpy(), bias[:count].numpy())
        assert coarse is not None
        assert other is not None
        for name in Coarse._fields:
            np.testing.assert_array_equal(getattr(coarse, name), getattr(other, name))
        assert copies.coarse(found, bias[:count]) is coarse
        places.add((found.data_ptr(), coarse.rows.ctypes.data))
    assert len(places) == 2  # room for 70 is room for 78, that for 90 is room for 72


def test_threads_that_ask_at_once_are_given_the_same_copies() -> None:
    table, bias, copies = torch.ones(20_000, 40), torch.zeros(20_000, 1), Copies()

    def ask(_: int) -> tuple[int, int]:
        found = copies.stretched(table, 3.0)
        return id(found), id(copies.coarse(found, bias))

    with torch_threads(4):
        assert len(set(on_threads(ask, range(8)))) == 1

"""The readout by torch, in double precision, equals that of the compiled loops."""

import torch

from recsys_gru.model.readout import through_last_rows, with_last_rows
from recsys_gru.model.rows import stretched, through_stretched

RECENT = torch.tensor([[3, 1, 3], [0, -1, -1], [2, 2, -1]])


def test_torch_and_the_loops_read_out_the_same() -> None:
    generator = torch.Generator().manual_seed(1)
    single = [torch.randn(*shape, generator=generator) for shape in ((3, 7), (4, 7), (1, 3), (3, 7))]
    hidden, table, weights, gradient = single
    h, t, w, g = (values.double() for values in single)
    torch.testing.assert_close(
        with_last_rows(hidden, table, RECENT, weights).double(),
        with_last_rows(h, t, RECENT, w),
        check_dtype=True,
    )
    for found, expected in zip(
        through_last_rows(gradient, table, RECENT, weights), through_last_rows(g, t, RECENT, w), strict=True
    ):
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_torch_and_the_loops_stretch_rows_the_same() -> None:
    generator = torch.Generator().manual_seed(2)
    rows, gradient = (torch.randn(5, 9, generator=generator) for _ in range(2))
    for length in (0.0, 1.0, 12.0):
        torch.testing.assert_close(stretched(rows, length).double(), stretched(rows.double(), length))
        expected = through_stretched(gradient.double(), rows.double(), length)
        found = through_stretched(gradient.clone(), rows, length).double()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

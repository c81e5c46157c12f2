"""Rows of moments' labels by torch, which other devices and doubles go through, beside the compiled loops."""

import torch

from recsys_gru.model.moment import through_moment, with_moment

LABELS = torch.tensor([[4, 1], [-1, 4], [-1, -1], [0, 2]])


def test_torch_and_the_compiled_loops_agree() -> None:
    generator = torch.Generator().manual_seed(1)
    read_out, gradient = (torch.randn(4, 6, generator=generator) for _ in range(2))
    table = torch.randn(5, 6, generator=generator)
    found = with_moment(read_out, LABELS, table)
    torch.testing.assert_close(found.double(), with_moment(read_out.double(), LABELS, table.double()))
    dense = [through_moment(one, LABELS, 5) for one in (gradient, gradient.double())]
    wholes = []
    for part in dense:
        assert part.rows is not None
        whole = torch.zeros(5, 6, dtype=part.operand.dtype)
        wholes.append(whole.index_copy_(0, part.rows, part.of_rows(whole)))
    torch.testing.assert_close(wholes[0].double(), wholes[1])
    leaf = table.double().requires_grad_()
    torch.autograd.backward((with_moment(read_out.double(), LABELS, leaf) * gradient).sum())
    torch.testing.assert_close(wholes[1], leaf.grad)

"""Where a network lives: the devices of this machine by name."""

import torch

from recsys_gru.errors import ParameterError


def resolve_device(name: str) -> torch.device:
    """Return the named device of this machine; "auto" is a CUDA device where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(
            f"device must be 'auto' or one that torch knows (cpu, cuda, cuda:1), not {name!r}"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ParameterError(f"expected device as 'auto', cpu or cuda, got {name!r}: no other was tried")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ParameterError(
            f"expected a device of this machine, got {name!r}: torch {torch.__version__} finds {count} CUDA "
            "devices; take device='auto'"
        )
    return device


def device_at_hand(name: str) -> torch.device:
    """Return the named device, or this machine's own: what was learned on one device answers on any."""
    try:
        return resolve_device(name)
    except ParameterError:
        return resolve_device("auto")

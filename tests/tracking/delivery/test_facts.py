"""What a result depends on besides its parameters."""

from recsys_gru.tracking.delivery import facts


def test_the_use_of_the_processor_is_that_since_the_last_call() -> None:
    facts.load_of_this_process()
    assert sum(number % 7 for number in range(1_000_000)) > 0
    assert facts.load_of_this_process()["system/cpu_percent"] > 0

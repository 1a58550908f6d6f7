"""Splits what a model wrote into its reasoning and its answer."""

OPEN, CLOSE = "<think>", "</think>"


def split_thinking(text: str) -> tuple[str, str]:
    """(reasoning, answer) of `<think>…</think>answer`; reasoning is empty where there is none.

    A chat template may open the block in the prompt (only `</think>` is written), and a model may
    be cut off inside it (only `<think>` is written: all of it is reasoning).
    """
    opened = text.lstrip().startswith(OPEN)
    thought, closed, answer = text.partition(CLOSE)
    if not opened and not closed:
        return "", text
    return thought.lstrip().removeprefix(OPEN).strip(), answer.lstrip() if closed else ""

"""Splits what a model wrote into its reasoning and its answer."""

THOUGHTS = (("<think>", "</think>"), ("<|begin_of_thought|>", "<|end_of_thought|>"))
SOLUTION = ("<|begin_of_solution|>", "<|end_of_solution|>")


def split_thinking(text: str) -> tuple[str, str]:
    """(reasoning, answer) of `<think>…</think>answer`; reasoning is empty where there is none.

    A chat template may open the block in the prompt (only `</think>` is written), and a model may
    be cut off inside it (only `<think>` is written: all of it is reasoning). The marks of
    OpenThoughts are read likewise; those round the solution are taken away.
    """
    for opening, closing in THOUGHTS:
        opened = text.lstrip().startswith(opening)
        thought, closed, answer = text.partition(closing)
        if opened or closed:
            reasoning = thought.lstrip().removeprefix(opening).strip()
            return reasoning, _solution(answer) if closed else ""
    return "", text


def _solution(answer: str) -> str:
    answer, (opening, closing) = answer.lstrip(), SOLUTION
    if not answer.startswith(opening):
        return answer
    return answer.removeprefix(opening).partition(closing)[0].strip()

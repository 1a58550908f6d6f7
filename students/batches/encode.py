"""Rows to token ids, with the mask of what is learned.

A chat is tokenised piece by piece: each piece that the model writes separately from what stands
before it, exactly as it meets them when it generates. So no token ever straddles the border
between prompt and completion, and the end token is always learned, unless a completion was cut
off before its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from students.batches.pack import Document
from students.errors import DataError

Chat = list[dict[str, str]]


def as_chat(row: Mapping[str, Any]) -> Chat:
    """The chat of an SFT row, `{"messages"}` or `{"prompt", "completion"}`."""
    if row.get("messages"):
        return [dict(message) for message in row["messages"]]
    prompt, completion = row["prompt"], row["completion"]
    before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    after = (
        completion
        if isinstance(completion, list)
        else [{"role": "assistant", "content": completion}]
    )
    return [*before, *after]


def render(tokenizer: Any, chats: Sequence[Chat], prompt: bool) -> list[str]:
    """The chats as text; `prompt` adds what asks the model to answer."""
    if not chats:
        return []
    if tokenizer.chat_template:
        return tokenizer.apply_chat_template(
            list(chats), tokenize=False, add_generation_prompt=prompt
        )
    joined = ["\n".join(m["content"] for m in chat[: None if prompt else -1]) for chat in chats]
    if prompt:
        return joined
    return [
        text + chat[-1]["content"] + tokenizer.eos_token
        for text, chat in zip(joined, chats, strict=True)
    ]


def encode_prompts(tokenizer: Any, chats: Sequence[Chat]) -> list[list[int]]:
    """Token ids of prompts that the model is to answer."""
    texts = render(tokenizer, chats, prompt=True)
    return tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []


def encode_chats(
    tokenizer: Any, chats: Sequence[Chat], max_length: int, cut: Sequence[bool] = ()
) -> list[Document]:
    """Documents of `chats`, learned where an assistant speaks, its end token included.

    `cut` says of each chat whether its last turn was cut off, so that it has no end token.
    Raises DataError where a chat has nothing to learn, is longer than `max_length` tokens, or the
    chat template does not render a conversation as a prefix of its continuation.
    """
    pieces: list[str] = []
    owners: list[tuple[int, bool]] = []
    for turn in _turns(chats):
        befores = render(tokenizer, [chats[c][:i] for c, i, _ in turn], prompt=True)
        afters = render(tokenizer, [chats[c][: i + 1] for c, i, _ in turn], prompt=False)
        for (c, _, seen), before, after in zip(turn, befores, afters, strict=True):
            known = seen[0]
            if not (before.startswith(known) and after.startswith(before)):
                raise DataError(
                    "the chat template does not render a conversation as a prefix of its "
                    "continuation, so the completion cannot be told from the prompt"
                )
            close = after.rfind(tokenizer.eos_token, len(before))
            end = close + len(tokenizer.eos_token) if close >= 0 else len(after)
            pieces += [before[len(known) :], after[len(before) : end]]
            owners += [(c, False), (c, True)]
            seen[0] = after[:end]
    ids: list[list[int]] = [[] for _ in chats]
    masks: list[list[bool]] = [[] for _ in chats]
    encoded = tokenizer(pieces, add_special_tokens=False)["input_ids"] if pieces else []
    for (c, learned), tokens in zip(owners, encoded, strict=True):
        ids[c] += tokens
        masks[c] += [learned] * len(tokens)
    for c, short in enumerate(cut):
        if short and ids[c][-1] == tokenizer.eos_token_id:
            ids[c].pop()
            masks[c].pop()
    return checked([Document(i, m) for i, m in zip(ids, masks, strict=True)], max_length)


def _turns(chats: Sequence[Chat]) -> list[list[tuple[int, int, list[str]]]]:
    """The n-th assistant turns of all chats together: (chat, message, [text seen so far])."""
    turns: list[list[tuple[int, int, list[str]]]] = []
    for c, chat in enumerate(chats):
        seen = [""]
        speaking = [i for i, message in enumerate(chat) if message["role"] == "assistant"]
        for n, i in enumerate(speaking):
            if n == len(turns):
                turns.append([])
            turns[n].append((c, i, seen))
    return turns


def encode_texts(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[Document]:
    """Documents of plain texts: every token but the first is learned, the end token too."""
    encoded = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
    documents = []
    for tokens in encoded:
        ids = [*tokens, tokenizer.eos_token_id]
        documents.append(Document(ids, [False] + [True] * (len(ids) - 1)))
    return checked(documents, max_length)


def checked(documents: list[Document], max_length: int) -> list[Document]:
    """`documents`, or a DataError that counts the ones which cannot be trained on."""
    empty = sum(not any(d.mask[1:]) for d in documents)
    if empty:
        raise DataError(f"{empty} of {len(documents)} rows have no token to learn")
    long = sum(len(d.ids) > max_length for d in documents)
    if long:
        longest = max(len(d.ids) for d in documents)
        raise DataError(
            f"{long} of {len(documents)} rows are longer than max_length={max_length} tokens "
            f"(the longest has {longest}); raise max_length or filter them in curate"
        )
    return documents

"""What is learned of a chat, with the templates and the kinds of tokenizers of model families."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from students.batches.encode import LEARNED, Encoder, encode_prompts
from students.batches.templates import CHANGED, EMPTY, ENDLESS, OPENED, Template
from students.errors import DataError
from tests.students.families import NAMES, end_of, tokenizer

WORDS = [
    "the",
    "answer",
    " is",
    "42",
    "\n",
    "\n\n",
    "  ",
    " ",
    "é😀",
    "{x}",
    "(a*b)",
    "<b>",
    ".",
]
THINKING = ("qwen3", "qwen3-thinking", "deepseek-r1")


def says(least=1):
    return (
        st.lists(st.sampled_from(WORDS), min_size=least, max_size=6).map("".join).filter(str.strip)
    )


def chat(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


def encoded(name, messages, **row):
    (found,) = Encoder(tokenizer(name)).encode("chat", [{"messages": messages, **row}])
    if isinstance(found, DataError):
        raise found
    return found


def parts(name, marked):
    """The runs of learned tokens of a document, as text."""
    runs, open_run = [], False
    for token in marked:
        if token >= LEARNED:
            runs = runs if open_run else [*runs, []]
            runs[-1].append(int(token & ~LEARNED))
        open_run = bool(token >= LEARNED)
    return [plain(name, run) for run in runs]


def plain(name, ids):
    return tokenizer(name).decode(ids, clean_up_tokenization_spaces=False)


def ids_of(marked):
    return (marked & ~LEARNED).tolist()


def bare(text):
    return "".join(text.split())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(texts=st.lists(says(), min_size=2, max_size=6).filter(lambda t: len(t) % 2 == 0))
def test_exactly_the_assistants_texts_and_their_ends_are_learned(name, texts):
    messages = chat(*texts)
    if name == "deepseek-r1":  # opens every answer with a thought, so rows must hold one
        for message in messages[1::2]:
            message["content"] = f"<think>\nso\n</think>\n{message['content']}"
    documents = encoded(name, messages)
    learned = [run for document in documents for run in parts(name, document)]
    assert len(learned) == len(texts) // 2
    for run, message in zip(learned, messages[1::2], strict=True):
        assert run.endswith(end_of(name))
        said = bare(run.removesuffix(end_of(name)))
        want = bare(message["content"])
        assert said in (
            want,
            f"<think></think>{want}",
            f"</think>{want}",
            want.removeprefix("<think>"),
        )
    own = tokenizer(name)
    whole = own.apply_chat_template(messages, tokenize=False)
    if name not in THINKING:
        (document,) = documents
        text = whole[: whole.rindex(end_of(name)) + len(end_of(name))]
        assert bare(plain(name, ids_of(document))) == bare(text)
        if all(message["content"] == message["content"].strip() for message in messages):
            assert ids_of(document) == own(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(asked=says(), answer=says())
def test_prompts_are_tokenised_as_the_model_meets_them(name, asked, answer):
    thought = "<think>\nwell\n</think>\n" if name == "deepseek-r1" else ""
    (document,) = encoded(name, chat(asked, thought + answer))
    first = int((document >= LEARNED).argmax())
    (prompt,) = encode_prompts(tokenizer(name), [chat(asked)])
    assert ids_of(document)[:first] == prompt
    assert all(document[first:] >= LEARNED)


@pytest.mark.parametrize("name", THINKING)
@settings(max_examples=15)
@given(
    thoughts=st.lists(says(), min_size=2, max_size=2),
    answers=st.lists(says(), min_size=2, max_size=2),
)
def test_thoughts_that_a_template_drops_from_history_are_learned_in_their_turn(
    name, thoughts, answers
):
    written = [f"<think>\n{t}\n</think>\n\n{a}" for t, a in zip(thoughts, answers, strict=True)]
    messages = chat("one", written[0], "two", written[1])
    first, second = encoded(name, messages)
    for place, document in ((1, first), (3, second)):
        (run,) = parts(name, document)
        opened = "" if name == "qwen3" else "<think>"
        assert opened + bare(run) == bare(messages[place]["content"]) + end_of(name)
        context = ids_of(document)[: int((document >= LEARNED).argmax())]
        (prompt,) = encode_prompts(tokenizer(name), [messages[:place]])
        assert context == prompt
    assert (
        thoughts[0] not in plain(name, ids_of(second)).split("two")[0] or thoughts[0] in answers[0]
    )


def test_reasoning_in_a_field_of_its_own_is_a_thought():
    content = {"role": "assistant", "content": "4", "reasoning_content": "2 and 2"}
    messages = [{"role": "user", "content": "2+2?"}, content]
    for name in ("qwen3", "llama3", "qwen2.5"):
        (document,) = encoded(name, messages)
        assert parts(name, document) == [f"<think>\n2 and 2\n</think>\n\n4{end_of(name)}"]
    (document,) = encoded("deepseek-r1", messages)
    assert parts("deepseek-r1", document) == ["2 and 2\n</think>\n\n4<｜end▁of▁sentence｜>"]


def test_a_row_without_a_thought_is_refused_where_the_template_opens_one():
    with pytest.raises(DataError, match="have no thought"):
        encoded("deepseek-r1", chat("2+2?", "4"))
    assert OPENED.startswith("have no thought")


def test_a_thought_that_was_cut_off_is_learned_without_an_end():
    for name, learned in (
        ("qwen3", "<think>\nso 2"), ("llama3", "<think>\nso 2"), ("deepseek-r1", "so 2"),
    ):  # fmt: skip
        (document,) = encoded(name, chat("2+2?", "<think>\nso 2"), cut=True)
        assert parts(name, document) == [learned]


def test_a_template_that_says_something_else_is_refused():
    own = tokenizer("llama3")
    template = own.chat_template
    try:
        own.chat_template = template.replace("message.content | trim", "message.content[:3] | trim")
        with pytest.raises(DataError, match="render as it is written"):
            encoded("llama3", chat("hello", "a long answer"))
        own.chat_template = template.replace("<|eot_id|>", "\n")
        with pytest.raises(DataError, match="no special token"):
            encoded("llama3", chat("hello", "answer"))
    finally:
        own.chat_template = template
    assert "as it is written" in CHANGED
    assert "no special token" in ENDLESS


def test_what_a_template_refuses_is_said_in_its_words():
    system = [{"role": "system", "content": "be brief"}, *chat("a", "b")]
    with pytest.raises(DataError, match="refused by the chat template: System role not supported"):
        encoded("gemma", system)
    with pytest.raises(DataError, match=EMPTY):
        encoded("gemma", chat("a", " "))


def test_calls_of_tools_are_learned_up_to_the_end_of_the_turn():
    call = {"function": {"name": "add", "arguments": '{"a": 1}'}}
    messages = [*chat("a"), {"role": "assistant", "content": None, "tool_calls": [call]}]
    (document,) = encoded("qwen2.5", messages)
    (run,) = parts("qwen2.5", document)
    assert run == '\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call><|im_end|>'


def test_a_tokenizer_without_a_template_joins_texts_and_begins_as_it_was_trained():
    own = tokenizer("mistral")
    template = own.chat_template
    try:
        own.chat_template = None
        assert Template(own).text(chat("a", "b"), prompt=False) == "ab</s>"
        assert Template(own).text(chat("a"), prompt=True) == "a"
    finally:
        own.chat_template = template


def test_a_tokenizer_that_was_saved_with_truncation_cuts_nothing():
    own = tokenizer("qwen2.5")
    own.backend_tokenizer.enable_truncation(8)
    (document,) = encoded("qwen2.5", chat("a " * 40, "b " * 40))
    assert len(document) > 100

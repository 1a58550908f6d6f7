"""Rows of the field's formats: all that mean the same are read as the same."""

import json

import pytest

from students.errors import DataError
from students.formats import as_chat, as_pair, as_text

ASKED = {"role": "user", "content": "2+2?"}
SAID = {"role": "assistant", "content": "4"}
OTHER = {"role": "assistant", "content": "5"}
SYSTEM = {"role": "system", "content": "be brief"}
SHARED = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [ASKED, SAID]},
        {"messages": json.dumps([ASKED, SAID])},
        {"messages": [{**ASKED, "tool_calls": None}, SAID]},
        {"messages": [ASKED, {"role": "assistant", "content": [{"type": "text", "text": "4"}]}]},
        {"prompt": "2+2?", "completion": "4"},
        {"prompt": [ASKED], "completion": [SAID]},
        {"prompt": "about", "messages": [ASKED, SAID]},
        {"conversations": SHARED},
        {"instruction": "2+2?", "input": "", "output": "4"},
        {"instruction": "2+2?", "output": "4"},
    ],
)
def test_formats_that_say_the_same_are_the_same_chat(row):
    assert as_chat(row).messages == [ASKED, SAID]
    assert as_chat({**row, "cut": True}).cut


def test_system_prompts_inputs_and_earlier_turns_have_their_place():
    assert as_chat({"conversations": SHARED, "system": "be brief"}).messages[0] == SYSTEM
    row = {"instruction": "add", "input": "2, 2", "output": "4", "system": "be brief"}
    assert as_chat(row).messages == [SYSTEM, {"role": "user", "content": "add\n\n2, 2"}, SAID]
    row = {"instruction": "and 3?", "output": "6", "history": [["2+2?", "4"]]}
    assert as_chat(row).messages[:3] == [ASKED, SAID, {"role": "user", "content": "and 3?"}]


def test_of_a_completion_only_the_completion_is_learned():
    row = {"prompt": [ASKED, SAID, ASKED], "completion": "4"}
    chat = as_chat(row)
    assert [chat.learned(place) for place in range(4)] == [False, False, False, True]
    chat = as_chat({"messages": [ASKED, {**SAID, "weight": 0}, ASKED, SAID]})
    assert [chat.learned(place) for place in range(4)] == [False, False, False, True]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "2+2?", "chosen": "4", "rejected": "5"},
        {"prompt": [ASKED], "chosen": [SAID], "rejected": [OTHER]},
        {"prompt": "2+2?", "chosen": [ASKED, SAID], "rejected": [ASKED, OTHER]},
        {"chosen": [ASKED, SAID], "rejected": [ASKED, OTHER]},
        {"question": "2+2?", "chosen": "4", "rejected": "5"},
        {
            "conversations": SHARED[:1],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        },
    ],
)
def test_pairs_of_any_form_share_their_prompt(row):
    chosen, rejected = as_pair({**row, "rejected_cut": True})
    assert chosen.messages == [ASKED, SAID]
    assert rejected.messages == [ASKED, OTHER]
    assert (chosen.learn, rejected.learn) == (1, 1)
    assert (chosen.cut, rejected.cut) == (False, True)


@pytest.mark.parametrize(
    ("read", "row", "says"),
    [
        (as_chat, {"question": "a", "answer": "b"}, "no known format"),
        (as_chat, {"text": "a"}, "a cpt stage reads them"),
        (as_chat, {"conversations": [{"from": "martian", "value": "a"}]}, "unknown speaker"),
        (as_chat, {"messages": [{"role": "user", "content": 3}]}, "not a text"),
        (as_chat, {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "not a text"),
        (as_chat, {"messages": ["a"]}, "not an object"),
        (as_text, {"content": "a"}, "no column 'text'"),
        (as_pair, {"prompt": "a", "chosen": "b"}, "no chosen and rejected"),
        (as_pair, {"chosen": "b", "rejected": "c"}, "no prompt"),
        (as_pair, {"chosen": [ASKED, SAID], "rejected": [ASKED]}, "no prompt"),
    ],
)
def test_what_is_no_row_is_said_in_words(read, row, says):
    with pytest.raises(DataError, match=says):
        read(row)

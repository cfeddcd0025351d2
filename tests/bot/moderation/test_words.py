"""Word rules: what they find, what they leave alone, and that nobody's pattern can make the bot hang."""

import pytest

from bot.errors import UsageError
from bot.moderation.words import MOST_PATTERNS, MOST_RULES, added, decide, read
from bot.spaces import WordRule


def rules(**lists: str) -> tuple[WordRule, ...]:
    """Lists as an admin writes them, by their verdict."""
    return tuple(WordRule(word, verdict) for verdict, words in lists.items() for word in read(words))


def met(words: str, **lists: str) -> str:
    """The verdict on these words, "" where no rule has one."""
    found = decide(rules(**lists), words)
    return found.verdict if found else ""


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("fox", "a red FOX."),
        ("fox", "fox"),
        ("fox", "画一只fox狐狸"),
        ("狐狸", "一只红狐狸在雪里"),
        ("キツネ", "赤いキツネの絵"),
        ("ｇｏｒｅ", "Gore"),
        ("gore", "ＧＯＲＥ"),
        ("straße", "STRASSE"),
        ("naïve", "nai\u0308ve"),
        ("gore", "go\u200bre"),
        ("gore", "g\u0336o\u0336r\u0336e\u0336"),
        ("gore", "go\ufe0fre"),
        ("gore", "g\u034fore"),
        ("gore", "go\u3164re"),
        ("gore", "go\U000e0041re"),
        ("gore", "\u202egore\u202c"),
        ("gore", "g\u043er\u0435"),
        ("/g[o0]re/", "g\u043er\u0435"),
        ("рис", "белый рис"),
        ("bad", "bad bad"),
        ('"red light"', "a red\n light"),
        ("f*k", "xfk fork"),
        ("fox*", "foxes"),
        ("*porn", "softporn"),
        ("c++", "some c++ code"),
        ("😀", "a 😀x"),
        ("/n[o0]+pe/", "N00PE"),
        ("/^draw .* nude$/", "draw a man nude"),
        ("/色情|暴力/", "很暴力"),
    ],
)
def test_a_rule_finds(rule: str, words: str) -> None:
    assert met(words, refuse=rule) == "refuse"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("fox", "foxes"),
        ("fox", "a firefox"),
        ("fox", "fox_tail"),
        ("ass", "a glass of grass"),
        ("f*k", "forks"),
        ('"red light"', "light red"),
        ("狐狸", "狐 狸"),
        ("/^fox$/", "a fox"),
        ("cop", "сор на полу"),
        ("nude", "no\u0308de"),
        ("fox", ""),
    ],
)
def test_a_rule_leaves_alone(rule: str, words: str) -> None:
    assert met(words, refuse=rule) == ""


def test_what_is_refused_goes_before_what_is_reviewed() -> None:
    assert met("blood on a knife", refuse="knife", review="blood") == "refuse"
    assert met("blood on a cloth", refuse="knife", review="blood") == "review"


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("a blood orange", ""),
        ("a blood orange in blood", "refuse"),
        ("blood blood orange", "refuse"),
        ("blood, orange", "refuse"),
    ],
)
def test_an_allowed_word_excuses_what_is_inside_of_it_alone(words: str, verdict: str) -> None:
    assert met(words, refuse="blood", allow='"blood orange"') == verdict


def test_a_shorter_allowed_word_opens_no_longer_refused_one() -> None:
    assert met("red blood", refuse='"red blood"', allow="red") == "refuse"


def test_the_rule_that_was_met_is_named() -> None:
    assert decide(rules(refuse="gore /n[o0]pe/"), "N0PE") == WordRule("/n[o0]pe/", "refuse")


def test_a_list_is_read_as_people_write_lists() -> None:
    written = "blood “red  light”，F*ck、/n[o0]pe+ x, y/ 血腥；blood"

    assert read(written) == ("blood", "red light", "f*ck", "/n[o0]pe+ x, y/", "血腥")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("/(/", "pattern"),
        (r"/(a)\1/", "pattern"),
        ("/(?=a)b/", "pattern"),
        ("/(x{1000}){1000}/", "pattern"),
        ("/((a{100}){10}){10}/", "pattern"),
        ("/a*/", "everything"),
        ("/|x/", "everything"),
        ("***", "letter"),
        ('"..."', "letter"),
        ("a" * 101, "too long"),
        ("/" + "a" * 100 + "/", "too long"),
    ],
)
def test_what_can_never_work_is_refused_with_a_reason(word: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read(word)


def test_a_word_stands_in_one_list_at_a_time() -> None:
    before = added((), ("fox", "hen"), "refuse")

    assert added(before, ("fox",), "allow") == (WordRule("hen", "refuse"), WordRule("fox", "allow"))


def test_a_space_has_so_many_rules_and_no_more() -> None:
    words = tuple(f"word{number}" for number in range(MOST_RULES))
    full = added((), words, "refuse")

    with pytest.raises(UsageError, match=str(MOST_RULES)):
        added(full, ("one",), "refuse")
    assert len(added(full, ("word7",), "allow")) == MOST_RULES
    with pytest.raises(UsageError, match=str(MOST_PATTERNS)):
        added((), tuple(f"/x{number}/" for number in range(MOST_PATTERNS + 1)), "refuse")


def test_a_stored_rule_that_cannot_be_compiled_keeps_no_other_from_working() -> None:
    assert decide((WordRule("/(/", "refuse"), WordRule("fox", "refuse")), "a fox") == WordRule("fox", "refuse")


def test_broken_characters_are_words_like_any_other() -> None:
    assert met("a \ud800fox\x00", refuse="fox") == "refuse"
    assert met("a \ud800 hen", refuse="fox") == ""


@pytest.mark.parametrize("pattern", ["/(a+)+b$/", "/(a|aa|a*)*b$/", "/(.*)*(.*)*x$/", "/(a?){30}a{30}b/"])
def test_a_pattern_that_would_backtrack_for_ever_answers(pattern: str) -> None:
    """Python's own engine needs longer for each of these than anybody will ever wait."""
    assert decide((WordRule(pattern, "refuse"),), "a" * 4000) is None

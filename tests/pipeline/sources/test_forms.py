from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.sources.forms import comparable, words_and_symbols

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8")))


def forms_of(*texts: str) -> list[str]:
    return words_and_symbols(pa.array(texts, pa.string())).to_pylist()


def test_texts_that_differ_in_case_punctuation_and_symbols_have_the_same_words() -> None:
    one, two, three, nothing = comparable(
        pa.array(["Who, then, built “Marlo” + $5?", "who then built marlo 5", "Who built Tessi?", None])
    ).to_pylist()
    assert one == two == "who then built marlo 5"
    assert three != one
    assert nothing is None


@given(TEXTS)
def test_forms_are_words_with_a_space_between(texts: list[str | None]) -> None:
    for form_of in (comparable, words_and_symbols):
        forms = form_of(pa.array(texts, pa.string())).to_pylist()
        assert [form is None for form in forms] == [text is None for text in texts]
        assert all(form is None or (form == form.strip() and "  " not in form) for form in forms)


DIFFERENT = [
    ("What is C++?", "What is C#?", "What is C?", "What is C*?", "What is C^?", "What is C-?", "What is C+?"),
    ("$5", "5%", "-5", "5", "5°", "€5", "5€", "+5", "~5", "#5", "5‰", "§5", "£5", "<5", ">5", "=5", "±5", "-$5", "√5", "5′", ".5", "-.5"),
    ("3.5", "35", "3 5", "3,5", "3:5", "3/5", "3*5", "3+5", "3=5", "3²5", "3^-5"),
    ("1.2.3", "1.2 3", "1 2.3", "1 2 3", "1.23", "12.3"),
    ("x²", "x2", "x 2", "x³", "x"),
    ("10⁵", "105", "10 5", "10⁻⁵", "10^"),
    ("½", "1 2", "12", "2"),
    ("What is .NET?", "What is NET?"),
    ("What is an A*?", "What is an A?", "What is an A+?", "What is an A-?"),
    ("R&D", "RD", "R D", "R/D", "R@D"),
    ("e^-x", "e^x", "e^+x", "ex"),
    ("a < b", "a > b", "a b", "a = b", "a ≤ b", "a ≠ b", "a → b"),
    ("Is it 20 °C?", "Is it 20 C?"),
    ("Fun 😀", "Fun 😢", "Fun"),
    ("1,000", "1000", "1.000"),
    ("from -5 to 5", "from 5 to 5", "from 5 to -5"),
    (r"a\b", "a b"),
    ("What is []?", "What is {}?", "What is ()?", "What is?"),
    ("a != b", "a = b", "a! b"),
    ("p->x", "p>x", "p x", "p → x"),
    ("What does <- do?", "What does < do?", "What does -> do?"),
    ("What is :: for?", "What is : for?"),
]
SAME = [
    (
        "What is mined?",
        "what is MINED",
        "  What\n is  mined ?",
        "“What is mined?”",
        "What is 'mined'...",
        "What — is mined!",
        "(What is) [mined]",
    ),
    ("5%", "5 %", "5%.", "(5%)", "“5 %”", "5％"),
    ("$5", "$ 5", "$5.", "($5)?", "＄5"),
    ("-5", "−5", "–5", "(-5)", " -5.", "“-5”"),
    ("C++", "c++.", "“C++”?", "C++!", "(C++)"),
    ("3.5", "(3.5).", "“3.5”", "３.５"),
    ("Tea grows here.", "Tea grows - here!", "Tea - grows: here;", "Tea, grows – here", "Tea… grows—here"),
    ("COVID-19", "COVID 19", "Covid–19", "COVID - 19"),
    ("the years 1990-1995", "the years 1990–1995", "the years 1990 - 1995", "the years 1990 – 1995"),
    ("It's Ada's.", "it’s ada’s", "It`s Ada´s"),
    ("x²", "x^2", "X²"),
    (".NET", "“.Net”", "(.net)!"),
    ("Node.js", "node.js.", "NODE JS"),
    ("☀️ sun", "☀ sun"),
    ("H₂O", "H2O"),
    ("1, 2, 3", "1 2 3", "1; 2; 3."),
    ("a!=b", "a != b", "(a != b)."),
    ("main()", "main( )", "“main()”?"),
    ("x<-5", "x < -5"),
    ("Say: yes", "Say yes", "Say “yes”", "¿Say yes?"),
]


@pytest.mark.parametrize("texts", DIFFERENT)
def test_symbols_that_carry_meaning_tell_texts_apart(texts: tuple[str, ...]) -> None:
    forms = forms_of(*texts)
    assert len(set(forms)) == len(texts), forms


@pytest.mark.parametrize("texts", SAME)
def test_mere_punctuation_does_not(texts: tuple[str, ...]) -> None:
    forms = forms_of(*texts)
    assert len(set(forms)) == 1, forms


TERMS = st.sampled_from(
    [
        "What",
        "is",
        "the",
        "price",
        "of",
        "C++",
        "C#",
        ".NET",
        "$5",
        "5%",
        "-5",
        "3.5",
        "1,000",
        "x²",
        "A*",
        "A-",
        "20°",
        "R&D",
        "COVID-19",
        "it's",
        "salt",
        "tea",
        "😀",
        "10⁻⁵",
        "AC/DC",
        "é",
        "½",
    ]
)
ENDS = st.sampled_from(["", ".", "?", "!", "...", "…", "?!", " ?"])
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0", " \n "])
QUOTES = st.sampled_from([("", ""), ('"', '"'), ("“", "”"), ("‘", "’"), ("«", "»"), ("(", ")"), ("[", "]"), ("„", "“")])
CASES = st.sampled_from([str, str.upper, str.lower, str.title])


@given(st.lists(TERMS, min_size=1, max_size=8), st.data())
def test_case_quotes_spacing_and_the_last_mark_never_make_another_text(terms: list[str], data: st.DataObject) -> None:
    def dressed(term: str) -> str:
        before, after = data.draw(QUOTES)
        return f"{before}{data.draw(CASES)(term)}{after}{data.draw(st.sampled_from(['', ',', ';', ' -', ' –', '—']))}"

    text = "".join(dressed(term) + data.draw(SPACES) for term in terms).strip() + data.draw(ENDS)
    one, other = forms_of(" ".join(terms), text)
    assert one == other


@given(st.lists(TERMS, min_size=1, max_size=6), st.lists(TERMS, min_size=1, max_size=6))
def test_other_terms_are_another_text(one: list[str], other: list[str]) -> None:
    same = [term.lower() for term in one] == [term.lower() for term in other]
    first, second = forms_of(" ".join(one), " ".join(other))
    assert (first == second) == same


@given(TEXTS)
def test_texts_of_the_same_words_and_symbols_have_the_same_words(texts: list[str | None]) -> None:
    """What is one text here is one to the comparison with evaluation texts, too, but for powers."""
    plain = pa.array([None if text is None else re.sub("[⁰¹²³⁴-⁹⁺-⁼ⁿⁱ´\ufe0e\ufe0f]", "", text) for text in texts], pa.string())
    assert comparable(words_and_symbols(plain)).to_pylist() == comparable(plain).to_pylist()

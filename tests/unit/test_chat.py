"""Chat templates: what Hugging Face's would render, and a hostile one gets nowhere."""

import datetime
import json
import threading
import tracemalloc
from typing import Any

import pytest
import tokenizer_texts as samples

from hartonomous.hql import limits
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models import chat
from hartonomous.hql.models.chat import render
from hartonomous.storage.errors import Cancelled

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2 < 3 & 'so'?"},
    {"role": "assistant", "content": " Yes.\n"},
]
#: templates in the manner of well-known models, with what they must give for MESSAGES
CHATML = """{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message.content | trim + '<|im_end|>\\n' -}}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' -}}
{% endif %}
"""
CHATML_TEXT = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2 < 3 & 'so'?<|im_end|>\n"
    "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>assistant\n"
)
TURNS = """{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}
    {%- set first = messages[0]['content'] ~ '\\n\\n' -%}
    {%- set rest = messages[1:] -%}
{%- else -%}
    {%- set first, rest = '', messages -%}
{%- endif -%}
{%- for message in rest -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('roles must alternate') }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (first if loop.first else '') -}}
    {{ message['content'].strip() }}{{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}"""
TURNS_TEXT = (
    "<bos><start_of_turn>user\nBe brief.\n\n2 < 3 & 'so'?<end_of_turn>\n"
    "<start_of_turn>model\nYes.<end_of_turn>\n<start_of_turn>model\n"
)
FEATURES = """{%- macro shout(text, mark='!') %}{{ text | upper ~ mark }}{% endmacro -%}
{%- set ns = namespace(count=0, seen=[]) -%}
{%- for message in messages if message.role != 'system' -%}
    {%- set ns.count = ns.count + 1 -%}
    {%- set ns.seen = ns.seen + [message.role] -%}
    {%- if loop.last %}{% continue %}{% endif -%}
    {% generation %}{{ shout(message.role) }}{% endgeneration %}
{%- endfor -%}
[{{ ns.count }}|{{ ns.seen | join(',') }}|{{ tools is none }}|{{ documents is not defined }}|
{{- messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }}|
{{- {'b': '<é>', 'a': [1, 2.5, none, true]} | tojson }}|{{ "%s-%d" | format('x', 7) }}|
{{- strftime_now('%d %B %Y') }}|{{ [3, 1, 2] | sort | reverse | list }}|{{ 7 // 2 }}|
{{- 'abc'[::-1] }}|{{ 'a-b'.split('-') | last }}|{{ missing | default('none') }}|
{{- '{} {n}'.format('q', n=1) }}|{{ {'k': 1}.items() | list }}|{{ 'x' in 'axe' }}|
{{- "l1\\nl2" | indent(2) }}|{{ [1, 2] | sum }}|{{ ['a', 'A', 'b'] | unique | list }}]"""
FEATURES_TEXT = (
    "USER![2|user,assistant|True|False|2 < 3 & 'so'?|"
    '{"b": "<é>", "a": [1, 2.5, null, true]}|x-7|05 March 2024|[3, 2, 1]|3|cba|b|none|'
    "q 1|[('k', 1)]|True|l1\n  l2|3|['a', 'b']]"
)


def shown(template: str, **variables: Any) -> str:
    given = {"messages": MESSAGES, "add_generation_prompt": True, "bos_token": "<bos>", **variables}
    return render(template, given, now=datetime.datetime(2024, 3, 5))


@pytest.mark.parametrize(
    ("template", "expected"),
    [(CHATML, CHATML_TEXT), (TURNS, TURNS_TEXT), (FEATURES, FEATURES_TEXT)],
)
def test_templates_render_as_they_should(template: str, expected: str) -> None:
    assert shown(template) == expected
    assert shown(template) == expected  # compiled before


def test_they_render_as_jinja_does() -> None:
    """Metering changes no text: the same templates in jinja2's own sandbox, set up as
    transformers sets it up."""
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    plain = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    plain.filters["tojson"] = lambda x: json.dumps(x, ensure_ascii=False)
    plain.globals["strftime_now"] = datetime.datetime(2024, 3, 5).strftime
    for template in (CHATML, TURNS, FEATURES):
        bare = template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
        expected = plain.from_string(bare).render(
            messages=MESSAGES,
            add_generation_prompt=True,
            bos_token="<bos>",
            tools=None,
            documents=None,
        )
        assert shown(bare) == expected


def test_a_tokenizer_gives_its_special_tokens() -> None:
    template = "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ unk_token }}"
    metadata = samples.byte_level_metadata() | {"tokenizer.chat_template": template}
    tokenizer = samples.of_gguf(metadata)
    text = tokenizer.chat([{"role": "user", "content": "a"}])
    assert text == "<|im_start|>a<|im_end|>"
    assert tokenizer.encode(text, add_special=False) == [1, *tokenizer.encode("a"), 2]
    with pytest.raises(ExecutionFault, match="no chat template"):
        samples.of_gguf(samples.byte_level_metadata()).chat([])


def test_a_template_can_refuse_messages() -> None:
    with pytest.raises(ExecutionFault, match="refuses these messages: roles must alternate") as e:
        shown(TURNS, messages=MESSAGES[:2] + MESSAGES[1:])
    assert e.value.code == "MODEL_INPUT"
    with pytest.raises(ExecutionFault, match="not bytes"):
        shown(CHATML, messages=[{"role": b"user"}])
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ExecutionFault, match="deep"):
        shown(CHATML, messages=deep)


# what a template may not do: none of these may end in text

TOO_MUCH = {
    "loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "empty loops": "{% set r = range(9999) %}"
    "{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}",
    "a range": "{{ range(10**12) | list }}",
    "text by *": "{{ 'a' * 200000000 }}",
    "* text": "{{ 10**9 * 'a' }}",
    "lists by *": "{{ ([0] * 20000000) | length }}",
    "doubling by ~": "{% set n = namespace(x='aa') %}{% for i in range(99) %}"
    "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x | length }}",
    "doubling by +": "{% set n = namespace(x='aa') %}{% for i in range(99) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | length }}",
    "doubling lists": "{% set n = namespace(x=[1]) %}{% for i in range(99) %}"
    "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "doubling maps": "{% set n = namespace(x={}) %}{% for i in range(99) %}"
    "{% set n.x = {1: n.x, 2: n.x} %}{% endfor %}{{ n.x | length }}",
    "doubling blocks": "{% set n = namespace(x='aa') %}{% for i in range(99) %}"
    "{% set t %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = t %}{% endfor %}{{ n.x | length }}",
    "a value in itself": "{% set n = namespace() %}{% set n.a = [n, n] %}{{ n }}",
    "powers": "{{ 10 ** (10 ** 10) }}",
    "squares": "{% set n = namespace(x=3) %}{% for i in range(99) %}"
    "{% set n.x = n.x * n.x %}{% endfor %}",
    "center": "{{ 'a' | center(10**10) }}",
    "center while compiling": "{% if 'a' | center(10**9) %}x{% endif %}",
    "format %": "{{ '%200000000d' % 1 }}",
    "format *": "{{ '%*d' % (10**9, 1) }}",
    "format filter": "{{ '%200000000d' | format(1) }}",
    "format method": "{{ '{:>200000000}'.format(1) }}",
    "format in format": "{{ '{:{}}'.format(1, 10**9) }}",
    "format map": "{{ '{a:>1000000000}'.format_map({'a': 1}) }}",
    "format often": "{{ ('{0}' * 100000).format('a' * 100000) }}",
    "join": "{{ ('a' * 1000000).join('b' * 400000) }}",
    "join filter": "{{ ('b' * 400000) | join('a' * 1000000) }}",
    "replace": "{{ ('b' * 1000000).replace('b', 'a' * 1000000) }}",
    "replace filter": "{{ ('b' * 1000000) | replace('', 'a' * 1000000) }}",
    "strip": "{{ ('b' * 4000000).strip('a' * 4000000) }}",
    "map": "{{ range(99999) | map('center', 1000000) | list | length }}",
    "sum of lists": "{{ [[0] * 1000, [0] * 1000] | sum(start=[]) }}",
    "indent": "{{ ('\\n' * 1000000) | indent(10**6) }}",
    "indented JSON": "{{ [[[[1]]]] | tojson(indent=10**9) }}",
    "round": "{{ 1.5 | round(10**9, 'ceil') }}",
    "colliding keys": "{{ dict(range(9) | map('list')) }}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "branching recursion": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}"
    "{% endmacro %}{{ f(100) }}",
    "silent recursion": "{% macro f(n) %}{% if n %}{% set x = f(n-1) %}{% set y = f(n-1) %}"
    "{% endif %}{% endmacro %}{{ f(100) }}",
    "recursive loops": "{% for a in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    "recursive blocks": "{% block a %}{{ self.a() }}{% endblock %}",
    "much text": "{% for a in range(9999) %}" + "x" * 10000 + "{% endfor %}",
    "much text kept": "{% set x %}{% for a in range(99999) %}"
    + "x" * 9999
    + "{% endfor %}{% endset %}",
    "comparisons": "{% set a = 'a' * 8000000 %}{% set b = a ~ 'a' %}{{ "
    + " and ".join(["(a != b)"] * 300)
    + " }}{{ 1 // 0 }}",
    "a long template": "x" * ((1 << 17) + 1),
    "parentheses": "{{ " + "(" * 30000 + "1" + ")" * 30000 + " }}",
    "sums": "{{ " + "+".join("1" * 5000) + " }}",
    "negations": "{{ " + "not " * 20000 + "1 }}",
    "digits": "{{ " + "9" * 100000 + " }}",
    "the time": "{{ strftime_now('%1000000000Y') }}",
}
ELSEWHERE = {
    "a file": "{% include '/etc/passwd' %}",
    "a module": "{% import 'os' as os %}",
    "a parent": "{% extends 'x' %}",
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "items as attributes": "{{ ''['__class__'] }}",
    "globals": "{{ raise_exception.__globals__ }}",
    "globals of a class": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "attr": "{{ '' | attr('__class__') }}",
    "attributes mapped": "{{ [''] | map(attribute='__class__') | list }}",
    "attributes in format": "{{ '{0.__class__}'.format('') }}",
    "attributes in format_map": "{{ '{a.__class__}'.format_map({'a': ''}) }}",
    "the context": "{{ self._TemplateReference__context }}",
    "its namespace": "{{ namespace.__init__ }}",
    "macros": "{% macro f() %}{% endmacro %}{{ f._func }}",
    "generators": "{{ (messages | map('upper')).gi_frame }}",
    "changes": "{{ messages.append(1) }}",
    "changes of maps": "{{ messages[0].update({'a': 1}) }}",
    "chance": "{{ [1, 2] | random }}",
    "Latin": "{{ lipsum(5) }}",
    "calls of values": "{{ messages() }}",
    "encodings": "{{ 'a'.encode('idna') }}",
    "nothing there": "{{ nothing.at.all }}",
    "no syntax": "{% if %}",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TOO_MUCH))
def test_a_template_cannot_do_too_much(name: str) -> None:
    with pytest.raises(ExecutionFault) as caught:
        render(TOO_MUCH[name], {"messages": MESSAGES}, seconds=0.2)
    assert caught.value.code == "MODEL_INPUT" and len(str(caught.value)) < 500


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_a_template_can_reach_nothing(name: str) -> None:
    with pytest.raises(ExecutionFault) as caught:
        render(ELSEWHERE[name], {"messages": MESSAGES})
    assert caught.value.code == "MODEL_INPUT" and len(str(caught.value)) < 500


MEMORY = ["doubling by ~", "map", "join", "much text", "a value in itself"]
MEMORY += ["format %", "format filter", "format method", "text by *", "lists by *"]


@pytest.mark.parametrize("name", MEMORY)
def test_memory_is_bounded(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ExecutionFault):
            render(TOO_MUCH[name], {"messages": MESSAGES}, seconds=5)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_long_conversations_are_no_hostile_ones() -> None:
    """A list of 1,000 messages made one by one, 2 MB of text."""
    template = (
        "{% set n = namespace(all=[]) %}{% for m in messages %}{% set n.all = n.all + [m] %}"
        "{% endfor %}{% for m in n.all %}{{ m.role ~ m.content | trim }}{% endfor %}"
    )
    messages = [{"role": "user", "content": "x" * 2000}] * 1000
    assert render(template, {"messages": messages}, seconds=60) == ("user" + "x" * 2000) * 1000


def test_a_statement_s_cancel_flag_stops_a_template() -> None:
    running = limits.Limits()
    with running.lent():
        threading.Timer(0.1, running.cancel).start()
        with pytest.raises(Cancelled):
            render(TOO_MUCH["loops"], {"messages": []}, seconds=60)


def test_compiled_templates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "KEPT_MAX", 3)
    assert [render("{{ 1 }}" + "x" * i, {}) for i in range(5)] == ["1" + "x" * i for i in range(5)]
    assert len(chat._templates) <= 3


def test_output_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "OUTPUT_MAX", 100)
    assert render("{{ 'a' * 100 }}", {}) == "a" * 100
    with pytest.raises(ExecutionFault, match="writes more"):
        render("{{ 'a' * 100 }}b", {})


def test_threads_have_their_own_meters() -> None:
    found: list[str] = []

    def run() -> None:
        for _ in range(20):
            found.append(shown(CHATML))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CHATML_TEXT] * 80

"""Functions of models: streams, limits, snapshots, chat; golden scripts say what they give."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensor_models

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import BindFault, ExecutionFault, ResourceFault
from hartonomous.storage.errors import Cancelled

LLAMA = "llama(layers = 2, width = 32, heads = 4, kv_heads = 2, mlp = 64, context = {context})"
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def make(connection: Connection, name: str = "tiny", seed: int = 1, context: int = 64) -> None:
    connection.execute(
        f"CREATE MODEL {name} ARCHITECTURE {LLAMA.format(context=context)} "
        f"WITH (SEED = {seed}, TOKENIZER = 'bytes')"
    )


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = hql.connect(":memory:")
    make(made)
    yield made
    made.close()


def one(connection: Connection, text: str, *parameters: object) -> object:
    (row,) = connection.execute(text, parameters).fetchall()
    return row[0] if len(row) == 1 else row


# --- streams and limits --------------------------------------------------------------------------


def test_tokens_of_a_trace_come_one_by_one_and_can_be_stopped(connection: Connection) -> None:
    make(connection, "long", context=100_000)
    text = "SELECT Step FROM GENERATE('long', 'x', @max_tokens = 90000, @trace = 1)"
    (result,) = connection.session.execute(text)
    batches = result.batches()
    assert [next(batches).to_pylist() for _ in range(3)] == [[{"Step": n}] for n in range(3)]
    connection.session.cancel()
    with pytest.raises(Cancelled) as caught:
        list(batches)
    assert caught.value.code == "CANCELLED"
    kind, tokens = one(connection, "SELECT Kind, TokensOut FROM InferenceRequests")  # type: ignore[misc]
    assert kind == "GENERATE" and 3 <= tokens < 100


def test_a_stream_that_is_closed_early_is_accounted_for(connection: Connection) -> None:
    (result,) = connection.session.execute(
        "SELECT Step FROM GENERATE('tiny', 'x', @max_tokens = 50, @trace = 1)"
    )
    next(result.batches())
    result.close()
    tokens = one(connection, "SELECT TokensOut FROM InferenceRequests")
    assert isinstance(tokens, int) and 1 <= tokens < 50


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Text FROM GENERATE('long', 'x', @max_tokens = 90000)",
        "SELECT g.Text FROM t CROSS APPLY GENERATE('long', t.s, @max_tokens = 90000) g",
        "SELECT LOGPROB('long', REPLICATE(s, 90000)) FROM t",
        "SELECT PERPLEXITY('long', (SELECT REPLICATE(s, 90000) FROM t), @window = 90000)",
    ],
)
def test_the_time_limit_holds_inside_a_model(connection: Connection, text: str) -> None:
    make(connection, "long", context=100_000)
    connection.execute("CREATE TABLE t (s NVARCHAR(9))")
    connection.execute("INSERT INTO t VALUES ('x'), ('y')")
    with pytest.raises(Cancelled) as caught:
        connection.execute(text + " OPTION (TIMEOUT '0.2s')").fetchall()
    assert caught.value.code == "TIMEOUT"


def test_the_memory_limit_counts_keys_values_and_logits(connection: Connection) -> None:
    for text in (
        "SELECT Text FROM GENERATE('tiny', 'x', @max_tokens = 60) OPTION (MEMORY '30KB')",
        "SELECT Step FROM GENERATE('tiny', 'x', @trace = 1) OPTION (MEMORY '30KB')",
    ):
        with pytest.raises(ResourceFault) as caught:
            connection.execute(text).fetchall()
        assert caught.value.code == "MEMORY"
    text = "SELECT TokenCount FROM GENERATE('tiny', 'x', @max_tokens = 60) OPTION (MEMORY '1MB')"
    assert one(connection, text) == 60


# --- what a statement sees -----------------------------------------------------------------------


def test_a_plan_is_made_anew_for_another_model_of_the_name(connection: Connection) -> None:
    text = "SELECT LOGPROB('tiny', 'some text')"
    first = one(connection, text)
    assert one(connection, text) == first
    connection.execute("DROP MODEL tiny")
    with pytest.raises(BindFault):
        connection.execute(text)
    make(connection, seed=2)
    assert one(connection, text) != first


def test_a_model_is_seen_by_its_transaction_until_it_is_committed(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as mine, hql.connect(tmp_path / "db") as other:
        mine.execute("BEGIN TRAN")
        make(mine)
        assert one(mine, "SELECT TokenCount FROM GENERATE('tiny', 'x', @max_tokens = 2)") == 2
        with pytest.raises(BindFault) as caught:
            other.execute("SELECT LOGPROB('tiny', 'x')")
        assert caught.value.code == "UNKNOWN_MODEL"
        mine.execute("ROLLBACK")
        with pytest.raises(BindFault):
            mine.execute("SELECT LOGPROB('tiny', 'x')")


def test_a_reader_runs_models_and_keeps_its_own_requests(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as writer:
        make(writer)
        one(writer, "SELECT LOGPROB('tiny', 'abc')")
        with hql.connect(tmp_path / "db", read_only=True) as reader:
            count = "SELECT COUNT(*) FROM InferenceRequests"
            assert one(reader, count) == 1
            one(reader, "SELECT LOGPROB('tiny', 'abc')")
            assert one(reader, count) == 2 and one(writer, count) == 1


def test_equal_models_share_what_was_embedded(connection: Connection) -> None:
    for name in ("a", "b"):
        connection.execute(
            f"CREATE MODEL {name} ARCHITECTURE static(width = 8) "
            "WITH (SEED = 77, TOKENIZER = 'bytes')"
        )
        one(connection, f"SELECT VECTOR_NORM(EMBED('one text', '{name}'))")
    rows = connection.execute(
        "SELECT CacheHits, TokensIn, Loaded FROM InferenceRequests ORDER BY ModelName"
    ).fetchall()
    assert [tuple(map(int, r)) for r in rows] == [(0, 8, 0), (1, 0, 1)]


# --- a row's text does not depend on its neighbours, or on the way it takes ----------------------


def test_rows_are_the_same_alone_together_and_streamed(connection: Connection) -> None:
    connection.execute("CREATE TABLE p (s NVARCHAR(20), seed INT)")
    prompts = [("a", 1), ("quite another one", 2), ("a", 3), ("bc", 4)] * 3
    connection.cursor().executemany("INSERT INTO p VALUES (?, ?)", prompts)
    for settings in ("@max_tokens = 9", "@max_tokens = 9, @temperature = 0.9, @seed = {seed}"):
        together = connection.execute(
            "SELECT DISTINCT p.s, p.seed, g.Text FROM p CROSS APPLY "
            f"GENERATE('tiny', p.s, {settings.format(seed='p.seed')}) g"
        ).fetchall()
        assert len(together) == len(set(prompts))
        for prompt, seed, text in together:
            call = f"GENERATE('tiny', ?, {settings.format(seed=seed)})"
            assert one(connection, f"SELECT Text FROM {call}", prompt) == text


# --- chat ----------------------------------------------------------------------------------------


def write_tokenizer(folder: Path) -> None:
    """256 byte tokens and <end>, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.save(str(folder / "tokenizer.json"))
    settings = {"chat_template": TEMPLATE, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def import_begun(connection: Connection, folder: Path) -> None:
    """The model `begun`: tiny, with a tokenizer that begins a text with the token of "~",
    and `bare`, with one that does not."""
    from tokenizers import Tokenizer, processors

    connection.execute(f"EXPORT MODEL tiny TO '{folder}' FORMAT SAFETENSORS")
    write_tokenizer(folder)
    connection.execute(f"CREATE MODEL bare FROM '{folder}'")
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    begin = made.token_to_id("~")
    made.post_processor = processors.TemplateProcessing(
        single="~ $A", special_tokens=[("~", begin)]
    )
    made.save(str(folder / "tokenizer.json"))
    connection.execute(f"CREATE MODEL begun FROM '{folder}'")


def test_an_empty_prompt_goes_on_from_the_beginning_token(
    connection: Connection, tmp_path: Path
) -> None:
    import_begun(connection, tmp_path / "m")
    connection.execute("CREATE TABLE t (id INT, s NVARCHAR(9))")
    connection.execute("INSERT INTO t VALUES (1, 'ab'), (2, ''), (3, NULL)")
    call = "SELECT t.id, g.TokenCount FROM t CROSS APPLY GENERATE('{}', t.s, @max_tokens = 3) g"
    for model, rows in (("begun", [(1, 3), (2, 3)]), ("tiny", [(1, 3)])):
        found = connection.execute(call.format(model) + " ORDER BY t.id").fetchall()
        assert [tuple(row) for row in found] == rows, model
    text = "SELECT Text FROM GENERATE('{}', ?, @max_tokens = 3)"
    assert one(connection, text.format("begun"), "") == one(connection, text.format("bare"), "~")


def test_perplexity_is_of_logprob_with_a_beginning_token(
    connection: Connection, tmp_path: Path
) -> None:
    """The beginning token is before every window and is the one that is not scored."""
    import_begun(connection, tmp_path / "m")
    text = "SELECT PERPLEXITY('begun', (SELECT ?){}), BITS_PER_BYTE('begun', (SELECT ?){})"
    likely = "SELECT LOGPROB(?, ?)"

    def sums(*windows: str) -> float:
        found = [one(connection, likely, "begun", window) for window in windows]
        assert found == [one(connection, likely, "bare", "~" + window) for window in windows]
        return -sum(found)  # type: ignore[misc]

    for words, window, parts in (
        ("hello world", "", ("hello world",)),
        ("x", "", ("x",)),
        ("hello wor", ", @window = 4", ("hell", "o wo", "r")),
    ):
        found = one(connection, text.format(window, window), words, words)
        total = sums(*parts)
        by_hand = (math.exp(total / len(words)), total / math.log(2) / len(words))
        assert found == pytest.approx(by_hand, rel=1e-12), words
    assert one(connection, text.format("", ""), "", "") == (None, None)


def test_messages_go_through_the_models_own_template(
    connection: Connection, tmp_path: Path
) -> None:
    connection.execute(f"EXPORT MODEL tiny TO '{tmp_path / 'm'}' FORMAT SAFETENSORS")
    write_tokenizer(tmp_path / "m")
    connection.execute(f"CREATE MODEL chatty FROM '{tmp_path / 'm'}'")
    messages = json.dumps([{"role": "user", "content": "Hi"}])
    call = "SELECT Text FROM GENERATE('chatty', {}, @max_tokens = 6)"
    answer = one(connection, call.format("@messages = ?"), messages)
    assert answer == one(connection, call.format("?"), "<user>Hi<assistant>")
    assert answer != one(connection, call.format("?"), "Hi")
    rows = connection.execute("SELECT TokensIn FROM InferenceRequests ORDER BY RequestedAt")
    assert [r[0] for r in rows.fetchall()] == [len("<user>Hi<assistant>")] * 2 + [2]


# --- figures -------------------------------------------------------------------------------------


def test_explain_analyze_says_what_each_operator_asked(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (id INT, s NVARCHAR(20))")
    connection.execute("INSERT INTO t VALUES (1, 'hello'), (2, NULL), (3, 'hi')")

    def lines(text: str) -> list[str]:
        return [r[0] for r in connection.execute(f"EXPLAIN ANALYZE {text}").fetchall()]

    (scan,) = [x for x in lines("SELECT LOGPROB('tiny', s) FROM t") if "scan t" in x]
    assert "LOGPROB tiny: 2 rows, 7 tokens in," in scan
    fragment, *_ = lines("SELECT LOGPROB('tiny', s) FROM t WHERE id < 3")
    assert "LOGPROB tiny: 1 rows, 5 tokens in," in fragment
    stream, _ = lines("SELECT * FROM GENERATE('tiny', 'x', @max_tokens = 3)")
    assert "GENERATE tiny: 1 rows, 1 tokens in, 3 out," in stream


# --- models that are rows only -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "SELECT LOGPROB('rows', 'x')",
        "SELECT EMBED('x', 'rows')",
        "SELECT PERPLEXITY('rows', (SELECT 'some text'))",
        "SELECT * FROM GENERATE('rows', 'x')",
        "SELECT * FROM PREDICT('rows', (SELECT 1, 2))",
    ],
)
def test_a_model_that_cannot_run_says_why(connection: Connection, text: str) -> None:
    tensor_models.add(connection.session.database, "rows", [tensor_models.matrix("w", [[1, 2]])])
    with pytest.raises(ExecutionFault) as caught:
        connection.execute(text).fetchall()
    assert caught.value.code == "MODEL_INPUT" and caught.value.column is not None
    assert '"rows"' in caught.value.message and "architecture" in caught.value.message


def test_a_constant_id_names_a_model_too(connection: Connection) -> None:
    connection.execute(
        "CREATE MODEL flat ARCHITECTURE static(width = 8) WITH (SEED = 1, TOKENIZER = 'bytes')"
    )
    number = one(connection, "SELECT ModelId FROM Models WHERE ModelName = 'flat'")
    assert one(connection, f"SELECT (EMBED('x', {number}) = EMBED('x', 'flat'))")

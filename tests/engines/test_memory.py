"""Cached tokens are not read again, and the results equal those of a fresh context: lanes, copies, adapters, forks."""

import threading
import time
from threading import Event

import llama_cpp as llama
import pytest
from asking import ask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tables import rest

from runtime.engines.base import EngineError, Sampling
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.engines.llamacpp.decoder import WORTH_WAITING
from runtime.engines.llamacpp.memory import WORTH_COPYING, common_prefix
from runtime.types import Message

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

PROBLEM = "Lena buys 3 notebooks for 4 dollars each and a pen for 2 dollars. How much does she pay in all?"
ATTEMPT = "3 notebooks cost 3 * 4 = 12 dollars.\nWith the pen that is 12 + 2 = 14 dollars.\nThe answer is 14."
CHOICES = ["+", "-", "\n"]


CONVERSATIONS = [
    ask(PROBLEM),
    ask(PROBLEM, ATTEMPT[:40]),
    [*ask(PROBLEM, ATTEMPT), Message(role="user", content="Check the steps.")],
    [
        *ask(PROBLEM, ATTEMPT),
        Message(role="user", content="Go on from step 1."),
        Message(role="assistant", content="3"),
    ],
    ask("Tell me about the river Nile."),
]


def open_engine(tiny, adapters, parallel=4):
    files = {name: adapter.gguf for name, adapter in adapters.items() if name != "uncalled"}
    return LlamaCppEngine(tiny.gguf, context=512, parallel=parallel, threads=1, adapters=files)


@pytest.fixture
def engine(tiny, tiny_adapters):
    made = open_engine(tiny, tiny_adapters)
    yield made
    made.close()


@pytest.fixture
def cost(engine):
    """The number of tokens that a call has the model read and write."""

    def measured(call, *arguments, **named):
        before = engine._decoder.decoded
        value = call(*arguments, **named)
        return engine._decoder.decoded - before, value

    return measured


def written(engine, messages, tokens=8, **named):
    ((completion,),) = engine.sample([messages], Sampling(max_tokens=tokens), **named)
    return completion.text


def streamed(engine, messages, tokens=8, **named):
    return "".join(engine.stream(messages, Sampling(max_tokens=tokens), **named))


# nothing is read twice


def test_samples_share_their_prompt(engine, cost):
    prompt = engine.count(ask(PROBLEM))
    tokens, _ = cost(lambda: list(engine.sample([ask(PROBLEM)], Sampling(max_tokens=5), n=12)))
    # Each fork reads the prompt's last token again, as the logits are its own.
    assert tokens <= prompt + 12 * 5


def test_a_tree_of_prefixes_is_read_once(engine, cost):
    lines = ATTEMPT.split("\n")
    prefixes = [ask(PROBLEM, "\n".join(lines[: i + 1]) + "\n") for i in range(3)]
    tokens, _ = cost(lambda: list(engine.sample(prefixes, Sampling(max_tokens=2), n=6)))
    # A branch that lacks only a few tokens may read them itself if it arrives while another branch reads them.
    assert tokens <= engine.count(prefixes[-1]) + 18 * 2 + len(prefixes) * WORTH_WAITING


def test_actor_critic_and_refiner_read_only_new_tokens(engine, cost):
    streamed(engine, ask(PROBLEM), 40)
    actor = [*ask(PROBLEM), Message(role="assistant", content=streamed(engine, ask(PROBLEM), 40))]
    critic = [*actor, Message(role="user", content="Is it right?")]
    new = engine.count(critic) - engine.count(actor)
    tokens, _ = cost(engine.choice_logprobs, critic, ["Yes"], CHOICES)
    assert tokens <= new + 8  # the end of the actor's turn may be tokenised differently
    list(engine.sample([ask("Something else entirely.")], Sampling(max_tokens=30), n=8))  # takes every lane
    tokens, _ = cost(streamed, engine, [*critic, Message(role="assistant", content="So")], 1)
    assert tokens <= new + 10


def test_a_critic_judging_step_by_step_reads_each_step_once(engine, cost):
    steps = [f"{line} [" for line in ATTEMPT.split("\n")]
    whole = engine.count([*ask(PROBLEM), Message(role="assistant", content="".join(steps))])
    read = 0
    for number in range(len(steps)):
        streamed(engine, ask(PROBLEM), 3)  # meanwhile the actor continues
        tokens, _ = cost(engine.choice_logprobs, ask(PROBLEM), steps[: number + 1], CHOICES, "critic", number)
        read += tokens
    assert read <= whole + WORTH_COPYING * len(steps)


def test_a_conversation_is_restored_unchanged_from_the_shelf(engine, cost):
    first = streamed(engine, ask(PROBLEM), 30)
    list(engine.sample([ask("Something else entirely.")], Sampling(max_tokens=30), n=8))
    tokens, again = cost(streamed, engine, ask(PROBLEM), 30)
    assert again == first
    assert tokens <= 30 < engine.count(ask(PROBLEM))


def test_the_shelf_holds_only_so_many_conversations_the_latest_ones(engine, cost, monkeypatch):
    monkeypatch.setattr("runtime.engines.llamacpp.memory.MOST_SHELVED", 3)
    memory, asked = engine._decoder.memory, [ask(f"Tell me of {n} apples and {n + 1} pears.") for n in range(12)]
    for messages in asked:
        streamed(engine, messages, 4)
        assert len(memory._shelf) <= 3
    late, early = (cost(streamed, engine, messages, 4)[0] for messages in (asked[-1], asked[0]))
    assert late <= 1 + 4 < early  # what a known prompt costs: its last token, and what is written


def test_the_shelf_stays_within_its_size_limit(engine):
    memory = engine._decoder.memory
    memory._room = 1 << 16
    for number in range(30):
        streamed(engine, ask(f"Tell me of {number} apples and {number + 1} pears."), 4)
        assert sum(shelved.data.nbytes for shelved in memory._shelf) <= 1 << 16
    assert memory._shelf


def test_replies_of_unequal_length_are_unchanged_when_they_are_moved(engine):
    def all_at_once():
        found = {}

        def write(number, tokens):
            found[number] = streamed(engine, ask(f"Write about number {number}."), tokens)

        threads = [threading.Thread(target=write, args=pair) for pair in enumerate((3, 40, 10, 40))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    together = all_at_once()
    alone = {i: streamed(engine, ask(f"Write about number {i}."), n) for i, n in enumerate((3, 40, 10, 40))}
    assert together == alone


# adapters


@pytest.mark.parametrize("adapter", [None, "actor", "critic"])
def test_an_adapter_beside_others_writes_the_same_text_as_alone(adapter, engine, tiny, tiny_adapters):
    for other in ("critic", None, "actor"):
        written(engine, ask(PROBLEM), adapter=other)
    fresh = open_engine(tiny, tiny_adapters)
    try:
        (row,), (expected,) = (
            e.choice_logprobs(ask(PROBLEM), [ATTEMPT], CHOICES, adapter=adapter) for e in (engine, fresh)
        )
        assert row == pytest.approx(expected, abs=1e-2)
        assert written(engine, ask(PROBLEM), adapter=adapter) == written(fresh, ask(PROBLEM), adapter=adapter)
    finally:
        fresh.close()


def test_different_adapters_write_different_texts(engine):
    assert len({written(engine, ask(PROBLEM), adapter=adapter) for adapter in (None, "actor", "critic")}) == 3


def test_an_activated_critic_leaves_the_actors_logits_unchanged(engine):
    def actor():
        return engine.choice_logprobs(ask(PROBLEM), [ATTEMPT, " So"], CHOICES)

    actor()
    before = actor()
    critic = [*ask(PROBLEM, ATTEMPT), Message(role="user", content="Check the steps.")]
    engine.choice_logprobs(critic, ["Yes"], CHOICES, adapter="critic")
    assert actor() == before


def test_an_activated_critic_rereads_only_its_own_turn(engine, cost):
    streamed(engine, ask(PROBLEM), 40)
    tokens, _ = cost(written, engine, ask(PROBLEM), 1, adapter="critic")
    assert tokens <= 6  # the three activation tokens and the end of the turn
    tokens, _ = cost(written, engine, ask(PROBLEM), 1, adapter="actor")
    assert tokens >= engine.count(ask(PROBLEM))  # a plain adapter must read everything itself


def test_an_activated_adapter_without_its_tokens_is_an_error(tiny, tiny_adapters):
    engine = LlamaCppEngine(tiny.gguf, context=512, threads=1, adapters={"uncalled": tiny_adapters["uncalled"].gguf})
    try:
        with pytest.raises(EngineError, match="its invocation is not in the prompt"):
            written(engine, ask(PROBLEM), adapter="uncalled")
        assert written(engine, ask(PROBLEM))
    finally:
        engine.close()


def test_adapters_in_one_batch_take_turns_and_all_end(engine):
    found = {}

    def write(adapter):
        found[adapter] = streamed(engine, ask(PROBLEM), 20, adapter=adapter)

    threads = [threading.Thread(target=write, args=(adapter,)) for adapter in (None, "actor", "critic")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {adapter: streamed(engine, ask(PROBLEM), 20, adapter=adapter) for adapter in found}


def test_a_file_that_is_no_adapter_of_this_base_is_refused(tiny, tiny_adapters, small_model):
    with pytest.raises(EngineError, match="not an adapter of this model"):
        LlamaCppEngine(small_model, context=512, threads=1, adapters={"critic": tiny_adapters["critic"].gguf})
    with pytest.raises(EngineError, match="has no file"):
        LlamaCppEngine(tiny.gguf, context=512, threads=1, adapters={"critic": tiny.gguf.with_name("none.gguf")})


# cancel


@pytest.mark.parametrize("at", ["writing", *rest("reading", "batch of 64")])
def test_cancelling_takes_less_than_a_third_of_a_second(at, small_model):
    parallel = 64 if at == "batch of 64" else 2
    engine = LlamaCppEngine(small_model, context=2048 if at == "reading" else 256, parallel=parallel, threads=1)
    try:
        long = (
            ask("apple pie and cream " * 400)
            if at == "reading"
            else ask("Count from 1 to 1000.", "1, 2, 3, 4, 5, 6, 7, 8,")
        )
        written(engine, ask("Hello"), 1)
        cancel, ended = Event(), []

        def run():
            n = 64 if at == "batch of 64" else 1
            (found,) = engine.sample([long], Sampling(temperature=1.0, max_tokens=180), n=n, cancel=cancel)
            ended.append((time.perf_counter(), [completion.finish for completion in found]))

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(1.0)
        cancel.set()
        set_at = time.perf_counter()
        thread.join(timeout=20)
        assert ended[0][0] - set_at < 0.3
        assert "cancelled" in ended[0][1]
        assert written(engine, ask("Hello"), 3)
    finally:
        engine.close()


# any order of everything


class Conversing(RuleBasedStateMachine):
    """Random calls, some cancelled midway; after each, any conversation gets the same scores as in a fresh context."""

    engine: LlamaCppEngine
    truth: dict

    which = st.integers(0, len(CONVERSATIONS) - 1)
    adapter = st.sampled_from([None, "actor", "critic"])

    @rule(which=which, adapter=adapter, tokens=st.integers(1, 12))
    def stream(self, which, adapter, tokens):
        streamed(self.engine, CONVERSATIONS[which], tokens, adapter=adapter)

    @rule(which=which, adapter=adapter, pieces=st.integers(0, 3))
    def leave_a_stream(self, which, adapter, pieces):
        stream = self.engine.stream(CONVERSATIONS[which], Sampling(max_tokens=40), adapter=adapter)
        for _, _ in zip(range(pieces), stream, strict=False):
            pass
        stream.close()

    @rule(which=which, adapter=adapter, n=st.integers(1, 9), enough=st.booleans())
    def fork(self, which, adapter, n, enough):
        hot = Sampling(temperature=1.0, max_tokens=6)
        settled = (lambda replies: len(replies) >= 2) if enough else None
        list(self.engine.sample([CONVERSATIONS[which]], hot, n=n, adapter=adapter, enough=settled))

    @rule(first=which, second=which, adapter=adapter)
    def leave_a_tree(self, first, second, adapter):
        groups = self.engine.sample(
            [CONVERSATIONS[first], CONVERSATIONS[second]], Sampling(max_tokens=8), n=3, adapter=adapter
        )
        next(groups)
        groups.close()

    @rule(which=which, adapter=adapter)
    def cancel_soon(self, which, adapter):
        cancel = Event()
        threading.Timer(0.002, cancel.set).start()
        list(self.engine.sample([CONVERSATIONS[which]], Sampling(max_tokens=30), n=3, adapter=adapter, cancel=cancel))

    @rule(which=which, adapter=adapter)
    def judge(self, which, adapter):
        found = self.engine.choice_logprobs(CONVERSATIONS[which], ["14", " is it"], CHOICES, adapter=adapter)
        for row, expected in zip(found, self.truth[which, adapter], strict=True):
            assert row == pytest.approx(expected, abs=2e-2)

    @invariant()
    def lanes_match_the_memory(self):
        written(self.engine, ask("Hello"), 1)  # whatever was left before is dropped by now or with the next step
        decoder = self.engine._decoder
        while any(lane.job for lane in decoder.memory.lanes):  # a closed reply is noticed at the next step
            time.sleep(0.001)
        held = llama.llama_get_memory(decoder.context)
        for lane in decoder.memory.lanes:
            assert llama.llama_memory_seq_pos_max(held, lane.sequence) == len(lane.keys) - 1


@pytest.mark.parametrize("times", [2, *rest(8), pytest.param(25, marks=pytest.mark.slow)])
def test_hundreds_of_random_operations_leave_the_memory_consistent(times, tiny, tiny_adapters):
    fresh = {}
    for which, messages in enumerate(CONVERSATIONS):
        for adapter in (None, "actor", "critic"):
            engine = open_engine(tiny, tiny_adapters, parallel=1)
            fresh[which, adapter] = engine.choice_logprobs(messages, ["14", " is it"], CHOICES, adapter=adapter)
            engine.close()
    machine = type("Machine", (Conversing,), {"engine": open_engine(tiny, tiny_adapters), "truth": fresh})
    checks = settings(
        max_examples=times,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    try:
        run_state_machine_as_test(machine, settings=checks)
    finally:
        machine.engine.close()


@pytest.mark.parametrize(
    ("a", "b", "common"), [([], [], 0), ([1], [2], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 5, 3], 1), ([1], [1], 1)]
)
def test_the_common_prefix_of_token_lists_is_measured(a, b, common):
    assert common_prefix(a, b) == common_prefix(b, a) == common
